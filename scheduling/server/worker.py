"""Serve requests in gunicorn's threads without waiting for a client that is slow to start or slow to hang up.

`gunicorn.conf.py` names the class. gunicorn's own reads headers without a limit of time, waits 5 s for the first byte,
stops its main loop for up to 2 s until a refused client hangs up, and accepts connections while all its threads are
busy and another process has a free one. The private names of gunicorn that this relies on are listed in
docs/decisions/0019, and tests/scheduling/server/test_private_names.py fails when one of them is renamed.
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
from scheduling.server.deadlines import SocketDeadline

# Most clients send their request right after they connect; for the others the poller waits.
_FIRST_BYTE_SECONDS = 0.05
# A busy client sends its next request at once; waiting in the thread saves two thread switches a request.
_NEXT_REQUEST_SECONDS = 0.005
# How long a client has to read a refusal and hang up (RFC 9112, section 9.6).
_HANG_UP_SECONDS = 2.0


class Worker(ThreadWorker):
    """A process with threads; its main loop never waits for one client."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take gunicorn's own arguments."""
        self._most_connections = 0
        self._header_deadline = SocketDeadline()
        self._half_closed: deque[tuple[float, socket.socket]] = deque()
        super().__init__(*args, **kwargs)

    @property
    def worker_connections(self) -> int:
        """Return how many connections may be open; 0 while every thread is busy, so that no more are accepted."""
        busy = self.nr_conns - len(self.keepalived_conns) - len(self.pending_conns)
        return self._most_connections if busy < self.cfg.threads else 0

    @worker_connections.setter
    def worker_connections(self, most: int) -> None:
        self._most_connections = most

    def handle(self, conn: TConn) -> Any:
        """Read the headers of a request within the deadline, and serve it."""
        conn.close = partial(self._hang_up, conn.sock)
        if not conn.initialized and not conn.wait_for_data(_FIRST_BYTE_SECONDS):
            return _DEFER
        while True:
            with self._header_deadline.during(conn.sock):
                answered = super().handle(conn)
            if answered is not True or not self.alive or not self._has_next(conn):
                return answered

    def _has_next(self, conn: TConn) -> bool:
        """Wait a moment for the next request of the same client, unless others wait for the thread."""
        others_wait = self.worker_connections == 0 or self.tpool._work_queue.qsize()  # noqa: SLF001
        if others_wait or conn.parser.unreader.buf.getvalue():
            return False
        waiting = poll()
        waiting.register(conn.sock, POLLIN)
        return bool(waiting.poll(_NEXT_REQUEST_SECONDS * 1000))

    def handle_request(self, req: Any, conn: TConn) -> Any:
        """Serve a request whose headers were read."""
        self._header_deadline.stop(conn.sock)
        connection_close.begin(req)
        return super().handle_request(req, conn)

    def _keepalive_after(self, conn: TConn, keepalive: bool) -> bool:
        """Keep a connection if its body was read to the end; do not wait for the rest of a refused body."""
        return keepalive and bool(conn.parser.finish_body(deadline=time.monotonic() + _FIRST_BYTE_SECONDS))

    def murder_pending(self) -> None:
        """Close connections that sent nothing in time; the main loop calls this every second."""
        super().murder_pending()
        while self._half_closed and self._half_closed[0][0] < time.monotonic():
            self._close(self._half_closed.popleft()[1])

    def _hang_up(self, connection: socket.socket, graceful: bool = False) -> None:
        """Close a connection; a graceful close lets the client read its answer and hang up first."""
        try:
            if graceful:
                connection.shutdown(socket.SHUT_WR)
                connection.setblocking(False)
                self.poller.register(connection, EVENT_READ, self._drain)
                self._half_closed.append((time.monotonic() + _HANG_UP_SECONDS, connection))
                return
        except (OSError, ValueError, KeyError):
            pass
        util.close(connection)

    def _drain(self, connection: socket.socket) -> None:
        """Discard what a client sends after its last answer, and close the connection when it hangs up."""
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
