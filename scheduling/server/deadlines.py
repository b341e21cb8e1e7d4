"""A client that is slow is not waited for: a thread that reads from it or writes to it could serve somebody else.

gunicorn has no such limit. A watch ends the connection, or its reading side; what was short is then refused.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sql.watch import Watch

# 64 KiB take 3 s at 175 kbit/s.
BODY_SECONDS = 3.0


class BodyWatcher:
    """Watches the connections that a thread waits for; `side` is what it shuts when they take too long."""

    def __init__(self, side: int = socket.SHUT_RD) -> None:
        """Watch nothing yet."""

        def shut(connection: socket.socket) -> None:
            with suppress(OSError):
                connection.shutdown(side)

        self._watch = Watch(shut)

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
        self._watch.expect(connection, BODY_SECONDS)

    def forget(self, connection: socket.socket) -> None:
        """Let a connection be."""
        self._watch.forget(connection)
