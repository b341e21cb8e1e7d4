"""Abort answers that a client does not read in time: the thread that writes them could serve somebody else."""

import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from scheduling.server.deadlines import SocketDeadline

# A client has the same time to read this much as to send a body of this size.
_PIECE_BYTES = 64 * 1024


@dataclass
class ResponseDeadline:
    """A WSGI application whose answers are read in time or aborted."""

    app: WSGIApplication
    _deadline: SocketDeadline = field(default_factory=lambda: SocketDeadline(socket.SHUT_RDWR))

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request; servers other than gunicorn name no socket, and set limits of their own."""
        answer = self.app(environ, start_response)
        connection = environ.get("gunicorn.socket")
        return answer if connection is None else _TimedAnswer(answer, connection, self._deadline)


class _TimedAnswer:
    """An answer in pieces, with a deadline for each; the headers have the first one."""

    def __init__(self, answer: Iterable[bytes], connection: socket.socket, deadline: SocketDeadline) -> None:
        self._answer, self._connection, self._deadline = answer, connection, deadline
        deadline.start(connection)

    def __iter__(self) -> Iterator[bytes]:
        for part in self._answer:
            for start in range(0, len(part) or 1, _PIECE_BYTES):
                self._deadline.start(self._connection)
                yield part[start : start + _PIECE_BYTES]

    def close(self) -> None:
        """Stop the deadline; gunicorn calls this when it has written the answer, or failed to."""
        self._deadline.stop(self._connection)
        close: Any = getattr(self._answer, "close", None)
        if close is not None:
            close()
