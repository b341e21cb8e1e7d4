"""Keep HTTP connections open, with time-outs that cover the whole answer."""

import io
import socket
import time
from http.client import HTTPResponse
from typing import Any, cast

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection


class DeadlineReader(io.RawIOBase):
    """Read a socket until a deadline; the socket's own time-out starts again with each packet."""

    def __init__(self, raw: io.RawIOBase, connection: socket.socket, seconds: float) -> None:
        self.raw = raw
        self.connection = connection
        self.deadline = time.monotonic() + seconds

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what has arrived into a buffer.

        Raises TimeoutError at the deadline.
        """
        remaining = self.deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        self.connection.settimeout(remaining)
        return self.raw.readinto(buffer)

    def close(self) -> None:
        """Close this reader; the socket closes with its last one."""
        self.raw.close()
        super().close()


class DeadlineAnswer(HTTPResponse):
    """Read headers and body within the time-out of the socket, however slowly they arrive."""

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        seconds = sock.gettimeout()
        if seconds is not None:
            self.fp = io.BufferedReader(DeadlineReader(self.fp.detach(), sock, seconds))


class PlainConnection(HTTPConnection):
    """Speak HTTP."""

    response_class = DeadlineAnswer


class SecureConnection(HTTPSConnection):
    """Speak HTTP over TLS."""

    response_class = DeadlineAnswer


class DeadlineAdapter(HTTPAdapter):
    """Send requests over connections that stay open and whose answers have a deadline."""

    def get_connection_with_tls_context(self, *arguments: Any, **options: Any) -> HTTPConnectionPool:
        """Return the pool of a host."""
        pool = cast(HTTPConnectionPool, super().get_connection_with_tls_context(*arguments, **options))
        pool.ConnectionCls = SecureConnection if pool.scheme == "https" else PlainConnection
        return pool


class TimedBody(io.BytesIO):
    """Hold the body of a request that must not be sent after a deadline."""

    def __init__(self, content: bytes, seconds: float) -> None:
        super().__init__(content)
        self.deadline = time.monotonic() + seconds

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes.

        Raises TimeoutError after the deadline: the caller has given up, and another attempt may be under way.
        """
        if time.monotonic() >= self.deadline:
            raise TimeoutError
        return super().read(size)
