"""Give a client a limited time to send headers or a body, or to take an answer; gunicorn has no such limit.

A slow client holds up a thread that could serve somebody else. When its time is over, the reading side of the
connection is shut, or all of it, and the request is refused as incomplete.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sql.deadlines import Deadlines

# 64 KiB take 3 s at 175 kbit/s.
BODY_SECONDS = 3.0


class SocketDeadline:
    """Shuts connections whose time is over: their reading side, or the side that is named."""

    def __init__(self, side: int = socket.SHUT_RD) -> None:
        """Take the side to shut, as `socket.shutdown` names it."""

        def shut(connection: socket.socket) -> None:
            with suppress(OSError):
                connection.shutdown(side)

        self._deadlines = Deadlines(shut)

    @contextmanager
    def during(self, connection: socket.socket | None) -> Iterator[None]:
        """Give a connection BODY_SECONDS for what happens inside; None, outside of gunicorn, has no limit."""
        if connection is None:
            yield
            return
        self.start(connection)
        try:
            yield
        finally:
            self.stop(connection)

    def start(self, connection: socket.socket) -> None:
        """Give a connection BODY_SECONDS from now on."""
        self._deadlines.set(connection, BODY_SECONDS)

    def stop(self, connection: socket.socket) -> None:
        """Stop watching a connection."""
        self._deadlines.clear(connection)
