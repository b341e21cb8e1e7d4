"""An answer leaves in one piece: gunicorn hands head and body to the system one by one, and the client wakes twice."""

import socket
from typing import Any

from gunicorn.http.wsgi import Response


class WholeAnswer(Response):
    """An answer whose head waits for the first piece of its body; `gunicorn.conf.py` puts it in place."""

    def __init__(self, req: Any, sock: socket.socket, cfg: Any) -> None:
        """Take gunicorn's own arguments."""
        super().__init__(req, _HeldBack(sock), cfg)

    def close(self) -> None:
        """Send what is left."""
        super().close()
        self.sock.flush()


class _HeldBack:
    """A connection that keeps the first piece until the second one comes."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._held: bytes | None = b""

    def sendall(self, data: bytes) -> None:
        """Keep the first piece, send whatever follows."""
        if self._held == b"":
            self._held = data
        else:
            held, self._held = self._held, None
            self._connection.sendall(held + data if held else data)

    def flush(self) -> None:
        """Send what is kept."""
        held, self._held = self._held, None
        if held:
            self._connection.sendall(held)

    def __getattr__(self, name: str) -> Any:
        """Be the connection in all else."""
        return getattr(self._connection, name)
