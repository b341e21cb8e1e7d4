"""Transactions: every statement runs in one, and the code that opened it decides when it ends."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import psycopg2
from psycopg2.errors import FeatureNotSupported
from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from psycopg2.extensions import cursor as Cursor

from sql.pool import Connection, ConnectionPool, NoAnswer, Session


class ConnectionLost(psycopg2.OperationalError):
    """The connection broke before anything was committed; the work may be done again."""


@dataclass(slots=True)
class Guard:
    """A statement that raises unless the work is allowed; it is sent with the first statement of a transaction."""

    statement: str
    parameters: Mapping[str, Any]
    passed: bool = False


@dataclass(slots=True)
class Transaction:
    """Run statements on one connection; the first argument of every statement.

    Statements of an explicit transaction take effect together. The BEGIN and the guard are sent with the first of
    them, which saves round trips; where the guard raises, PostgreSQL runs nothing that follows it.
    """

    connection: Connection
    explicit: bool
    guard: Guard | None = None
    _begun: bool = False
    _queued: list[bytes] = field(default_factory=list)
    _after_commit: list[Callable[[], None]] = field(default_factory=list)

    def execute(self, statement: str, parameters: Mapping[str, Any]) -> Cursor:
        """Run one statement and return its cursor."""
        cursor = self.connection.cursor()
        render = self.connection.render
        guard = None if self.guard is None or self.guard.passed else self.guard
        # PREPARE is sent before BEGIN: a statement stays prepared even when the transaction is rolled back.
        text = render(cursor, statement, parameters)
        text = b"; ".join([*self._queued, text])
        self._queued.clear()
        if guard is not None:
            text = render(cursor, guard.statement, guard.parameters) + b"; " + text
        if self.explicit and not self._begun:
            self._begun = True
            text = b"BEGIN; " + text
        cursor.execute(text)
        if guard is not None:
            guard.passed = True
        return cursor

    @property
    def with_next(self) -> "Queue":
        """Return what to give a statement whose result nobody needs: it is sent in one message with the next one."""
        return Queue(self, self._queued)

    def confirm(self) -> None:
        """Run the guard alone, unless it has passed already."""
        if self.guard is not None and not self.guard.passed:
            self.execute("SELECT", {})

    def after_commit(self, action: Callable[[], None]) -> None:
        """Run an action after the commit; it must not fail or wait."""
        self._after_commit.append(action)

    def commit(self) -> None:
        """Commit the work. A failure here leaves the outcome unknown."""
        if self._queued:
            self.execute("SELECT", {})
        if not self._begun:
            return
        with self.connection.cursor() as cursor:
            cursor.execute("COMMIT")
            if cursor.statusmessage != "COMMIT":
                raise psycopg2.InternalError("an aborted transaction was committed")

    def rollback(self) -> None:
        """Roll the work back; close a connection that fails to do so."""
        if self.connection.closed or self.connection.get_transaction_status() == TRANSACTION_STATUS_IDLE:
            return
        try:
            with self.connection.cursor() as cursor:
                cursor.execute("ROLLBACK")
        except psycopg2.Error:
            self.connection.close()

    def run_after_commit(self) -> None:
        """Run the actions that wait for the commit, in order."""
        for action in self._after_commit:
            action()


@dataclass(frozen=True, slots=True)
class Queue:
    """What a transaction sends in front of its next statement; where one of them fails, nothing after it is run."""

    tx: Transaction
    texts: list[bytes]

    def execute(self, statement: str, parameters: Mapping[str, Any]) -> Cursor:
        """Keep one statement for the next message and return a cursor that knows no result."""
        cursor = self.tx.connection.cursor()
        self.texts.append(self.tx.connection.render(cursor, statement, parameters))
        return cursor


class Database:
    """Open transactions on the connections of a pool; the only access to PostgreSQL."""

    def __init__(self, dsn: str, *, size: int, session: Session) -> None:
        """Prepare a pool of `size` connections; none is opened before it is needed."""
        self.pool = ConnectionPool(dsn, size, session)

    def transaction(self, guard: Guard | None = None) -> "Scope":
        """Run several statements as one: all of them are committed, or none."""
        return Scope(self.pool, guard, explicit=True, repeatable=True)

    def statement(self, guard: Guard | None = None) -> "Scope":
        """Run one statement that is a transaction of its own; saves two round trips."""
        return Scope(self.pool, guard, explicit=False, repeatable=False)

    def reading(self, guard: Guard | None = None) -> "Scope":
        """Run statements that only read, each with a snapshot of its own."""
        return Scope(self.pool, guard, explicit=False, repeatable=True)

    def close(self) -> None:
        """Close the pool."""
        self.pool.close()


class Scope:
    """Open a transaction on entry, and commit it or roll it back on exit."""

    __slots__ = ("explicit", "guard", "pool", "repeatable", "tx")

    def __init__(self, pool: ConnectionPool, guard: Guard | None, *, explicit: bool, repeatable: bool) -> None:
        """Prepare a transaction; `repeatable` tells whether its work may be done again after its connection broke."""
        self.pool, self.guard, self.explicit, self.repeatable = pool, guard, explicit, repeatable

    def __enter__(self) -> Transaction:
        """Take a connection; raise PoolExhausted when none is free in time."""
        self.tx = Transaction(self.pool.take(), self.explicit, self.guard)
        return self.tx

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        """Commit, or roll back after an error."""
        connection = self.tx.connection
        try:
            if error is None:
                self.tx.commit()
            else:
                self.tx.rollback()
                if isinstance(error, FeatureNotSupported):
                    connection.close()
        finally:
            lost = connection.closed
            self.pool.give_back(connection)
        if error is None:
            self.tx.run_after_commit()
        elif isinstance(error, FeatureNotSupported):
            raise ConnectionLost("a migration changed what a prepared statement returns") from error
        elif self.repeatable and lost and _is_broken_connection(error):
            raise ConnectionLost("the connection broke before the work was committed") from error


def _is_broken_connection(error: BaseException) -> bool:
    """Tell whether the connection broke; after NoAnswer a second attempt would wait too long."""
    return isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError) and not isinstance(error, NoAnswer)
