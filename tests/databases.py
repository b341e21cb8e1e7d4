"""Databases of a test's own, beside the one that the test process works in."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg2
from psycopg2.extras import RealDictCursor

from scripts.stack.servers import THROWAWAY, Postgres
from sql.migrator import apply_migration, create_ledger, load_migrations
from tests.plugins.servers import DATABASE, execute


@contextmanager
def empty_database(server: str | None = None) -> Iterator[str]:
    """Create a database without a schema, on the server of the tests unless another is given; yield its address."""
    server, name = server or os.environ[DATABASE], f"test_{uuid4().hex}"
    execute(server, "CREATE DATABASE {}", name)
    try:
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    finally:
        execute(server, "DROP DATABASE {} WITH (FORCE)", name)


@contextmanager
def own_server() -> Iterator[str]:
    """Run a PostgreSQL that nobody else uses, and yield the address of its maintenance database."""
    with (
        TemporaryDirectory(prefix="scheduling-") as folder,
        Postgres(Path(folder) / "postgres", settings=THROWAWAY) as server,
    ):
        yield server.url


@contextmanager
def migrated_database(server: str) -> Iterator[str]:
    """Create a database of the newest schema and yield its address."""
    with empty_database(server) as url, connected(url) as connection:
        create_ledger(connection)
        for migration in load_migrations():
            apply_migration(connection, migration)
        yield url


@contextmanager
def connected(url: str) -> Iterator[Any]:
    """Connect without a pool; every statement is a transaction of its own."""
    connection = psycopg2.connect(url, cursor_factory=RealDictCursor)
    connection.autocommit = True
    try:
        yield connection
    finally:
        connection.close()


def ask(connection: Any, statement: str, *parameters: object) -> list[dict[str, Any]]:
    """Return the rows of a statement, if it has any."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        return [dict(row) for row in cursor.fetchall()] if cursor.description else []
