"""A watch over what may be waited for, but not for ever: one look four times a second ends what is overdue.

A thread that waits inside of the system cannot look at a clock; shutting down what it waits on wakes it.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

_LOOK_EVERY = 0.25

Item = TypeVar("Item")


@dataclass
class Watch(Generic[Item]):
    """Calls `end` with each item whose time is over; `end` must neither fail nor wait."""

    end: Callable[[Item], None]
    _deadlines: dict[Item, float] = field(default_factory=dict)
    _thread: threading.Thread | None = None
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def expect(self, item: Item, seconds: float) -> None:
        """Give an item so many seconds from now on."""
        if self._thread is None or not self._thread.is_alive():
            self._start_once()
        self._deadlines[item] = time.monotonic() + seconds

    def forget(self, item: Item) -> None:
        """Let an item be."""
        self._deadlines.pop(item, None)

    def _start_once(self) -> None:
        """Start the thread; a forked process has none of its parent's."""
        with self._guard:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._look_on, name="watch", daemon=True)
                self._thread.start()

    def _look_on(self) -> None:
        while True:
            time.sleep(_LOOK_EVERY)
            if not self._deadlines:
                continue
            now = time.monotonic()
            for item, deadline in list(self._deadlines.items()):
                if now > deadline:
                    self.forget(item)
                    self.end(item)
