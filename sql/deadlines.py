"""Deadlines for blocking calls: one thread checks four times a second and ends what takes too long.

A thread that is blocked in a system call cannot look at a clock; shutting down the socket that it waits for wakes it.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

_CHECK_EVERY = 0.25

Item = TypeVar("Item")


@dataclass
class Deadlines(Generic[Item]):
    """Call `end` with each item whose deadline has passed; `end` must neither fail nor wait."""

    end: Callable[[Item], None]
    _deadlines: dict[Item, float] = field(default_factory=dict)
    _thread: threading.Thread | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def set(self, item: Item, seconds: float) -> None:
        """End an item in so many seconds, unless its deadline is cleared before."""
        if self._thread is None or not self._thread.is_alive():
            self._start_once()
        self._deadlines[item] = time.monotonic() + seconds

    def clear(self, item: Item) -> None:
        """Remove the deadline of an item."""
        self._deadlines.pop(item, None)

    def _start_once(self) -> None:
        """Start the thread; a forked process has none of its parent's threads."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._check, name="deadlines", daemon=True)
                self._thread.start()

    def _check(self) -> None:
        while True:
            time.sleep(_CHECK_EVERY)
            if not self._deadlines:
                continue
            now = time.monotonic()
            for item, deadline in list(self._deadlines.items()):
                if now > deadline:
                    self.clear(item)
                    self.end(item)
