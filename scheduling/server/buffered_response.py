"""Send head and body of an answer in one piece; gunicorn writes them one by one, and the client wakes twice."""

import socket
from typing import Any

from gunicorn.http.wsgi import Response


class BufferedResponse(Response):
    """An answer whose head is sent together with the first piece of its body; `gunicorn.conf.py` installs it."""

    def __init__(self, req: Any, sock: socket.socket, cfg: Any) -> None:
        """Take gunicorn's own arguments."""
        super().__init__(req, _BufferedSocket(sock), cfg)

    def close(self) -> None:
        """Send what is still buffered."""
        super().close()
        self.sock.flush()


class _BufferedSocket:
    """A connection that buffers the first piece until the second one is written."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        # None after the second piece: from then on nothing is buffered.
        self._buffer: bytes | None = b""

    def sendall(self, data: bytes) -> None:
        """Buffer the first piece; send it with the second one, and whatever follows at once."""
        if self._buffer == b"":
            self._buffer = data
        else:
            first, self._buffer = self._buffer, None
            self._connection.sendall(first + data if first else data)

    def flush(self) -> None:
        """Send what is buffered."""
        first, self._buffer = self._buffer, None
        if first:
            self._connection.sendall(first)

    def __getattr__(self, name: str) -> Any:
        """Pass everything else to the connection."""
        return getattr(self._connection, name)
