"""Ask a database a question, from outside the application."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """Lend a connection on which each statement is its own transaction."""
    connection = psycopg2.connect(url)
    connection.autocommit = True
    try:
        yield connection
    finally:
        connection.close()


def ask(
    connection: Connection, statement: str | sql.Composable, parameters: Mapping[str, object] | None = None
) -> list[tuple[Any, ...]]:
    """Return the rows of a statement, if it has any."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall()) if cursor.description else []


def administer(connection: Connection, statement: str, *names: str) -> None:
    """Run a statement about whole databases, which are named in the place of `{}`."""
    ask(connection, sql.SQL(statement).format(*map(sql.Identifier, names)))
