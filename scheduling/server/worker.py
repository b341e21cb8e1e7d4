"""gunicorn's threads, none of which waits for a client that is slow to begin or slow to leave.

`gunicorn.conf.py` names the class. What gunicorn's own does: it reads headers without a limit of time, waits 5 s for
the first byte, holds up its main loop for 2 s until a refused client hangs up, and takes connections that it has no
thread for while another process has one.
"""

import socket
import time
from collections import deque
from contextlib import suppress
from functools import partial
from select import POLLIN, poll
from selectors import EVENT_READ
from typing import Any

from gunicorn import util
from gunicorn.workers.gthread import _DEFER, TConn, ThreadWorker

from scheduling.server import connection_close
from scheduling.server.deadlines import BodyWatcher

# A client that connects to ask has usually asked by now; another one is looked at when it does.
_FIRST_BYTE_SECONDS = 0.05
# A client that is busy asks again at once; handing its connection back would cost two changes of threads a request.
_NEXT_WITHIN = 0.005
# What a client has to read a refusal and hang up (RFC 9112, section 9.6).
_LEAVE_SECONDS = 2.0


class Worker(ThreadWorker):
    """A process with threads; its main loop never waits for one client."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take gunicorn's own arguments."""
        self._most_connections = 0
        self._heads = BodyWatcher()
        self._leaving: deque[tuple[float, socket.socket]] = deque()
        super().__init__(*args, **kwargs)

    @property
    def worker_connections(self) -> int:
        """Return how many connections may be open; none more while every thread is taken."""
        taken = self.nr_conns - len(self.keepalived_conns) - len(self.pending_conns)
        return self._most_connections if taken < self.cfg.threads else 0

    @worker_connections.setter
    def worker_connections(self, most: int) -> None:
        self._most_connections = most

    def handle(self, conn: TConn) -> Any:
        """Serve a request whose headers arrive in time."""
        conn.close = partial(self._leave, conn.sock)
        if not conn.initialized and not conn.wait_for_data(_FIRST_BYTE_SECONDS):
            return _DEFER
        while True:
            with self._heads.watching(conn.sock):
                answered = super().handle(conn)
            if answered is not True or not self.alive or not self._has_next(conn):
                return answered

    def _has_next(self, conn: TConn) -> bool:
        """Tell whether the next request comes within a moment; while others want the thread, nobody waits for it."""
        wanted = self.worker_connections == 0 or self.tpool._work_queue.qsize()  # noqa: SLF001
        if wanted or conn.parser.unreader.buf.getvalue():
            return False
        waiting = poll()
        waiting.register(conn.sock, POLLIN)
        return bool(waiting.poll(_NEXT_WITHIN * 1000))

    def handle_request(self, req: Any, conn: TConn) -> Any:
        """Serve a request whose headers are there."""
        self._heads.forget(conn.sock)
        connection_close.begin(req)
        return super().handle_request(req, conn)

    def _keepalive_after(self, conn: TConn, keepalive: bool) -> bool:
        """Keep a connection whose body has been read; nobody waits for one that was refused unread."""
        return keepalive and bool(conn.parser.finish_body(deadline=time.monotonic() + _FIRST_BYTE_SECONDS))

    def murder_pending(self) -> None:
        """Close what has waited long enough."""
        super().murder_pending()
        while self._leaving and self._leaving[0][0] < time.monotonic():
            self._close(self._leaving.popleft()[1])

    def _leave(self, connection: socket.socket, graceful: bool = False) -> None:
        """Close a connection, after the client has when it is told to; called by the main loop."""
        try:
            if graceful:
                connection.shutdown(socket.SHUT_WR)
                connection.setblocking(False)
                self.poller.register(connection, EVENT_READ, self._drain)
                self._leaving.append((time.monotonic() + _LEAVE_SECONDS, connection))
                return
        except (OSError, ValueError, KeyError):
            pass
        util.close(connection)

    def _drain(self, connection: socket.socket) -> None:
        """Throw away what a client sends that has been answered for the last time."""
        with suppress(BlockingIOError):
            try:
                if connection.recv(64 * 1024):
                    return
            except ConnectionError:
                pass
            self._close(connection)

    def _close(self, connection: socket.socket) -> None:
        with suppress(OSError, ValueError, KeyError):
            self.poller.unregister(connection)
        util.close(connection)
