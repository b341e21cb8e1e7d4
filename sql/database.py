"""Transactions: who has one may ask the database, who opened it decides when it ends."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from psycopg2.extensions import cursor as Cursor

from sql.pool import Connection, ConnectionPool, NoAnswer, Session


class ConnectionLost(psycopg2.OperationalError):
    """The connection broke before anything could have been committed; the work may be done again."""


@dataclass(slots=True)
class Transaction:
    """What a statement runs in; the first argument of every statement.

    Statements of an explicit transaction take effect together. The BEGIN travels with the first of them, which
    saves a round trip.
    """

    connection: Connection
    explicit: bool
    _begun: bool = False
    _after_commit: list[Callable[[], None]] = field(default_factory=list)

    def execute(self, statement: str, parameters: Mapping[str, Any]) -> Cursor:
        """Run one statement and return its cursor."""
        cursor = self.connection.cursor()
        if self.explicit and not self._begun:
            self._begun = True
            statement = "BEGIN; " + statement
        cursor.execute(statement, parameters)
        return cursor

    def after_commit(self, action: Callable[[], None]) -> None:
        """Remember an action for the moment when the work is durable; it must not fail or wait."""
        self._after_commit.append(action)

    def commit(self) -> None:
        """Make the work durable. A failure here leaves the outcome unknown."""
        if not self._begun:
            return
        with self.connection.cursor() as cursor:
            cursor.execute("COMMIT")
            if cursor.statusmessage != "COMMIT":
                raise psycopg2.InternalError("an aborted transaction was committed")

    def rollback(self) -> None:
        """Undo the work; a connection that cannot even do that is closed."""
        if self.connection.closed or self.connection.info.transaction_status == TRANSACTION_STATUS_IDLE:
            return
        try:
            with self.connection.cursor() as cursor:
                cursor.execute("ROLLBACK")
        except psycopg2.Error:
            self.connection.close()

    def run_after_commit(self) -> None:
        """Run what waited for the commit, in order."""
        for action in self._after_commit:
            action()


class Database:
    """The one way to PostgreSQL: a pool, and transactions on its connections."""

    def __init__(self, dsn: str, *, size: int, session: Session) -> None:
        """Prepare a pool of `size` connections; none is opened before it is needed."""
        self.pool = ConnectionPool(dsn, size, session)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Run several statements as one: all of them are committed, or none."""
        with self._transaction(explicit=True, repeatable=True) as tx:
            yield tx

    @contextmanager
    def statement(self) -> Iterator[Transaction]:
        """Run one statement that is a transaction of its own; saves two round trips."""
        with self._transaction(explicit=False, repeatable=False) as tx:
            yield tx

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """Run statements that only read, each with a view of its own."""
        with self._transaction(explicit=False, repeatable=True) as tx:
            yield tx

    @contextmanager
    def _transaction(self, *, explicit: bool, repeatable: bool) -> Iterator[Transaction]:
        with self.pool.connection() as connection:
            tx = Transaction(connection, explicit)
            try:
                yield tx
            except BaseException as error:
                tx.rollback()
                if repeatable and connection.closed and _is_broken_connection(error):
                    raise ConnectionLost("the connection broke before the work was committed") from error
                raise
            tx.commit()
        tx.run_after_commit()

    def close(self) -> None:
        """Close the pool."""
        self.pool.close()


def _is_broken_connection(error: BaseException) -> bool:
    """Tell a connection that broke from one that we gave up on: a second wait as long would be too long."""
    return isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError) and not isinstance(error, NoAnswer)
