"""A client that is slow is not waited for: a thread that reads from it or writes to it could serve somebody else.

gunicorn has no such limit. A watcher ends the connection, or its reading side; what was short is then refused.
"""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

# 64 KiB take 3 s at 175 kbit/s.
BODY_SECONDS = 3.0
_LOOK_EVERY = 0.25


@dataclass
class BodyWatcher:
    """Watches the connections that a thread waits for; `side` is what it shuts when they take too long."""

    side: int = socket.SHUT_RD
    _deadlines: dict[socket.socket, float] = field(default_factory=dict)
    _thread: threading.Thread | None = None
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def watching(self, connection: socket.socket | None) -> Iterator[None]:
        """Give a connection BODY_SECONDS to deliver its body."""
        if connection is None:
            yield
            return
        self.expect(connection)
        try:
            yield
        finally:
            self.forget(connection)

    def expect(self, connection: socket.socket) -> None:
        """Give a connection BODY_SECONDS from now on."""
        self._start_once()
        self._deadlines[connection] = time.monotonic() + BODY_SECONDS

    def forget(self, connection: socket.socket) -> None:
        """Let a connection be."""
        self._deadlines.pop(connection, None)

    def _start_once(self) -> None:
        if self._thread is not None and self._thread.is_alive():
            return
        with self._guard:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._watch, name="slow bodies", daemon=True)
                self._thread.start()

    def _watch(self) -> None:
        while True:
            time.sleep(_LOOK_EVERY)
            now = time.monotonic()
            for connection, deadline in list(self._deadlines.items()):
                if now > deadline:
                    with suppress(OSError):
                        connection.shutdown(self.side)
