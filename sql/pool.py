"""A pool of psycopg2 connections that waits for a free one, survives a fork and hands out no broken ones.

psycopg2's own pool raises at once when it is empty, connects while it holds its lock and returns connections that
the server has closed; none of that can be configured.
"""

import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, cast

import orjson
import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from psycopg2.extensions import (
    connection as PlainConnection,
)
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import register_default_jsonb
from psycopg2.sql import Composable

from sql.deadlines import Deadlines
from sql.prepared import PreparedStatements, mogrify


class PoolExhausted(Exception):  # noqa: N818 - a state, not a fault of the caller
    """Every connection stayed in use for as long as a request may wait."""


class NoAnswer(psycopg2.OperationalError):
    """PostgreSQL accepted a statement and did not answer in time; the outcome is unknown."""


class Connection(PlainConnection):
    """A connection with a deadline for each answer; `answer_within` is in seconds."""

    answer_within: float = 0.0
    overdue: bool = False
    idle_since: float = 0.0
    # Renders a statement as it is, or as an EXECUTE of a prepared one.
    render: Callable[[Cursor, str, Mapping[str, Any]], bytes] = staticmethod(mogrify)


class _Cursor(Cursor):
    """A cursor whose statements have the deadline of its connection."""

    def execute(self, query: str | bytes | Composable, vars: Any = None) -> None:  # noqa: A002  psycopg2's own name
        """Run a statement; raise NoAnswer when PostgreSQL does not answer in time."""
        connection = cast("Connection", self.connection)
        _answers.set(connection, connection.answer_within)
        try:
            super().execute(query, vars)
        except psycopg2.Error as error:
            if connection.overdue:
                # An answer that was not read would be taken for that of the next statement.
                connection.close()
                raise NoAnswer("PostgreSQL did not answer in time") from error
            raise
        finally:
            _answers.clear(connection)


@dataclass(frozen=True, slots=True)
class Session:
    """Hold how the sessions of a pool behave; all times are in seconds."""

    application_name: str
    connect_timeout: int = 2
    # A server process that is stopped keeps its sockets open: only a deadline of our own ends the wait for it.
    answer_within: float = 2.8
    statement_timeout: float = 2.5
    lock_timeout: float = 2.0
    idle_in_transaction_timeout: float = 10.0
    # A pooler that assigns a server connection to one transaction does not keep its prepared statements.
    prepares: bool = True

    def options(self) -> str:
        """Return the settings as libpq's `options`, so that they cost no round trip."""
        settings = {
            "TimeZone": "UTC",
            # No statement of ours runs long enough for it to be worthwhile.
            "jit": "off",
            "statement_timeout": int(self.statement_timeout * 1000),
            "lock_timeout": int(self.lock_timeout * 1000),
            "idle_in_transaction_session_timeout": int(self.idle_in_transaction_timeout * 1000),
        }
        return " ".join(f"-c {name}={value}" for name, value in settings.items())


@dataclass
class ConnectionPool:
    """Keep at most `size` connections, opened when they are first needed."""

    dsn: str
    size: int
    session: Session
    wait_within: float = 2.0
    # A connection that was just used is not checked: if the server has closed it, the next statement fails.
    look_after_idle: float = 0.1
    # Firewalls drop idle connections without notice; one that was idle for longer is tried with a statement.
    ask_after_idle: float = 30.0
    _connection_class: type[Connection] = field(init=False)
    _owner: int = field(default=0, init=False)
    _idle: deque[Connection] = field(default_factory=deque, init=False)
    _lent: set[Connection] = field(default_factory=set, init=False)
    _free: threading.BoundedSemaphore = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        self._connection_class = type("LimitedConnection", (Connection,), {"answer_within": self.session.answer_within})

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend a live connection; raise PoolExhausted when none is free in time."""
        connection = self.take()
        try:
            yield connection
        finally:
            self.give_back(connection)

    def take(self) -> Connection:
        """Take a live connection out of the pool; raise PoolExhausted when none is free in time."""
        self._reset_after_fork()
        if not self._free.acquire(timeout=self.wait_within):
            raise PoolExhausted
        try:
            connection = self._find()
        except BaseException:
            self._free.release()
            raise
        self._lent.add(connection)
        return connection

    def give_back(self, connection: Connection) -> None:
        """Put a connection back; close it if it is in a transaction or broken."""
        self._lent.discard(connection)
        try:
            if connection.overdue or connection.get_transaction_status() != TRANSACTION_STATUS_IDLE:
                connection.close()
            else:
                connection.idle_since = time.monotonic()
                self._idle.append(connection)
        finally:
            self._free.release()

    @property
    def in_use(self) -> int:
        """Return how many connections are lent at this moment."""
        return len(self._lent)

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()

    def _reset_after_fork(self) -> None:
        """Forget what a parent process opened: two processes on one connection read each other's answers."""
        if self._owner == os.getpid():
            return
        with self._lock:
            if self._owner != os.getpid():
                self._idle = deque()
                self._lent = set()
                self._free = threading.BoundedSemaphore(self.size)
                self._owner = os.getpid()

    def _find(self) -> Connection:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return self._open()
            if self._is_alive(connection):
                return connection
            connection.close()

    def _open(self) -> Connection:
        connection: Connection = psycopg2.connect(
            self.dsn,
            connection_factory=self._connection_class,
            cursor_factory=_Cursor,
            connect_timeout=self.session.connect_timeout,
            application_name=self.session.application_name,
            options=self.session.options(),
        )
        connection.autocommit = True
        if self.session.prepares:
            connection.render = PreparedStatements().render
        return connection

    def _is_alive(self, connection: Connection) -> bool:
        """Tell whether the connection still works; a server sends something to an idle one only when it closes it."""
        idle_for = time.monotonic() - connection.idle_since
        if idle_for < self.look_after_idle:
            return not connection.closed
        if connection.closed or _is_readable(connection.fileno()):
            return False
        if idle_for < self.ask_after_idle:
            return True
        connection.answer_within = 1.0
        with suppress(psycopg2.Error), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            connection.answer_within = self.session.answer_within
            return True
        return False


def _is_readable(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _abort(connection: Connection) -> None:
    """Shut the socket of a connection down, which wakes the thread that waits for its answer."""
    connection.overdue = True
    with suppress(OSError, psycopg2.Error), socket.socket(fileno=os.dup(connection.fileno())) as shared:
        shared.shutdown(socket.SHUT_RDWR)


_answers = Deadlines(_abort)
# Numbers come back from jsonb as large as they went in; Python's own parser makes integers that no answer can hold.
register_default_jsonb(globally=True, loads=orjson.loads)
