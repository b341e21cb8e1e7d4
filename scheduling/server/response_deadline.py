"""An answer that is not taken is not held out: the thread that writes it could serve somebody else."""

import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from scheduling.server.deadlines import BodyWatcher

# What a client has to take within the seconds that it has for as much of a body.
_PIECE_BYTES = 64 * 1024


@dataclass
class TakenAnswers:
    """An application whose answers are taken in time, or broken off."""

    app: WSGIApplication
    _watcher: BodyWatcher = field(default_factory=lambda: BodyWatcher(socket.SHUT_RDWR))

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request; gunicorn closes the answer when it has written the last byte, or could not."""
        answer = self.app(environ, start_response)
        connection = environ.get("gunicorn.socket")
        return answer if connection is None else _Watched(answer, connection, self._watcher)


class _Watched:
    """An answer in pieces, each of which has its time; without a piece, its headers have."""

    def __init__(self, answer: Iterable[bytes], connection: socket.socket, watcher: BodyWatcher) -> None:
        self._answer, self._connection, self._watcher = answer, connection, watcher
        watcher.expect(connection)

    def __iter__(self) -> Iterator[bytes]:
        for part in self._answer:
            for start in range(0, len(part) or 1, _PIECE_BYTES):
                self._watcher.expect(self._connection)
                yield part[start : start + _PIECE_BYTES]

    def close(self) -> None:
        """Let the connection be; gunicorn calls this when the answer is out, or could not be."""
        self._watcher.forget(self._connection)
        close: Any = getattr(self._answer, "close", None)
        if close is not None:
            close()
