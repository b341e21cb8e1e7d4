"""A pool of psycopg2 connections that waits its turn, forks safely and never hands out a dead connection.

psycopg2's own pool raises at once when it is empty, connects while it holds its lock and returns connections that
the server has closed; none of that can be configured.
"""

import os
import select
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import orjson
import psycopg2
from psycopg2.extensions import (
    POLL_OK,
    POLL_READ,
    STATUS_SETUP,
    TRANSACTION_STATUS_IDLE,
    parse_dsn,
    set_wait_callback,
)
from psycopg2.extensions import (
    connection as PlainConnection,
)
from psycopg2.extras import register_default_jsonb


class PoolExhausted(Exception):  # noqa: N818 - a state, not a fault of the caller
    """Every connection stayed in use for as long as a request may wait."""


class NoAnswer(psycopg2.OperationalError):
    """PostgreSQL accepted a statement and then said nothing for too long; the outcome is unknown."""


class Connection(PlainConnection):
    """A connection that knows how long it may be kept waiting, in seconds (None: for ever)."""

    answer_within: float | None = None
    idle_since: float = 0.0


@dataclass(frozen=True, slots=True)
class Session:
    """How the sessions of a pool behave. All times in seconds."""

    application_name: str
    connect_timeout: int = 2
    # A process that is stopped, not dead, keeps its sockets open: only our own clock ends that wait.
    answer_within: float = 2.8
    statement_timeout: float = 2.5
    lock_timeout: float = 2.0
    idle_in_transaction_timeout: float = 10.0

    def options(self) -> str:
        """Return the settings as libpq's `options`, so that they cost no round trip."""
        settings = {
            "TimeZone": "UTC",
            "statement_timeout": int(self.statement_timeout * 1000),
            "lock_timeout": int(self.lock_timeout * 1000),
            "idle_in_transaction_session_timeout": int(self.idle_in_transaction_timeout * 1000),
        }
        return " ".join(f"-c {name}={value}" for name, value in settings.items())


@dataclass
class ConnectionPool:
    """At most `size` connections, opened when first needed and kept."""

    dsn: str
    size: int
    session: Session
    wait_within: float = 2.0
    # Middleboxes forget connections that say nothing; one that rested longer is asked before it is used.
    ask_after_idle: float = 30.0
    _connection_class: type[Connection] = field(init=False)
    _owner: int = field(default=0, init=False)
    _idle: deque[Connection] = field(default_factory=deque, init=False)
    _free: threading.BoundedSemaphore = field(init=False)
    _guard: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        self._connection_class = type("LimitedConnection", (Connection,), {"answer_within": self.session.answer_within})

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend a live connection; raise PoolExhausted when none is free in time."""
        self._start_anew_after_fork()
        if not self._free.acquire(timeout=self.wait_within):
            raise PoolExhausted
        try:
            connection = self._take()
            try:
                yield connection
            finally:
                self._give_back(connection)
        finally:
            self._free.release()

    def close(self) -> None:
        """Close the connections that rest in the pool."""
        while self._idle:
            self._idle.pop().close()

    def _start_anew_after_fork(self) -> None:
        """Forget what a parent process opened: two processes on one connection read each other's answers."""
        if self._owner == os.getpid():
            return
        with self._guard:
            if self._owner != os.getpid():
                self._idle = deque()
                self._free = threading.BoundedSemaphore(self.size)
                self._owner = os.getpid()

    def _take(self) -> Connection:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return self._open()
            if self._is_alive(connection):
                return connection
            connection.close()

    def _give_back(self, connection: Connection) -> None:
        if connection.closed or connection.info.transaction_status != TRANSACTION_STATUS_IDLE:
            connection.close()
            return
        connection.idle_since = time.monotonic()
        self._idle.append(connection)

    def _open(self) -> Connection:
        connection: Connection = psycopg2.connect(
            self.dsn,
            connection_factory=self._connection_class,
            connect_timeout=self.session.connect_timeout,
            application_name=self.session.application_name,
            options=self.session.options(),
        )
        connection.autocommit = True
        return connection

    def _is_alive(self, connection: Connection) -> bool:
        """Tell whether the server has left the connection alone: it speaks to an idle one only to end it."""
        if connection.closed or _is_readable(connection.fileno()):
            return False
        if time.monotonic() - connection.idle_since < self.ask_after_idle:
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


def _wait_for_answer(connection: PlainConnection) -> None:
    """Wait for the server as psycopg2 does, but not beyond the connection's own limit.

    psycopg2 closes a connection whose wait was ended by an error (its green.c), so nobody reads a late answer.
    """
    limit = _seconds_to_wait(connection)
    deadline = None if limit is None else time.monotonic() + limit
    while (state := connection.poll()) != POLL_OK:
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN if state == POLL_READ else select.POLLOUT)
        left = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
        if not poll.poll(left):
            raise NoAnswer("PostgreSQL did not answer in time")


def _seconds_to_wait(connection: PlainConnection) -> float | None:
    """Return the limit of a wait; libpq leaves connect_timeout to whoever waits for it."""
    if connection.status == STATUS_SETUP:
        seconds = parse_dsn(connection.dsn).get("connect_timeout")
        return float(seconds) if seconds else None
    return getattr(connection, "answer_within", None)


set_wait_callback(_wait_for_answer)
# Numbers come back from jsonb as large as they went in; Python's own parser makes integers that no answer can hold.
register_default_jsonb(globally=True, loads=orjson.loads)
