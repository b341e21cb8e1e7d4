"""One PostgreSQL and one Valkey for a whole test run, and of each a database for every test process."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import pytest
import redis
from psycopg2 import sql

from scripts.stack.servers import THROWAWAY, Postgres, Valkey

ROOT = Path(__file__).resolve().parent.parent.parent
DATABASE, REDIS = "TEST_DATABASE_URL", "TEST_REDIS_URL"


def pytest_sessionstart(session: pytest.Session) -> None:
    """Start the servers that no variable points to; test processes inherit the variables."""
    if hasattr(session.config, "workerinput") or session.config.option.collectonly:
        return
    stack = ExitStack()
    session.config.add_cleanup(stack.close)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="scheduling-")))
    if DATABASE not in os.environ:
        postgres = stack.enter_context(Postgres(folder / "postgres", settings=THROWAWAY))
        stack.callback(os.environ.pop, DATABASE)
        os.environ[DATABASE] = postgres.url
    if REDIS not in os.environ:
        valkey = stack.enter_context(Valkey(folder / "valkey"))
        stack.callback(os.environ.pop, REDIS)
        os.environ[REDIS] = valkey.url


@pytest.fixture(scope="session")
def worker_number() -> int:
    """Return the number of this process among those that share the servers."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


@pytest.fixture(scope="session")
def database_url(worker_number: int) -> Iterator[str]:
    """Create a database of the newest schema for this process alone."""
    server, name = os.environ[DATABASE], f"test_{worker_number}"
    url = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    execute(server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
    execute(server, "CREATE DATABASE {}", name)
    migrate = [sys.executable, "scripts/migrate.py"]
    subprocess.run(migrate, cwd=ROOT, env=os.environ | {"DATABASE_URL": url}, check=True)
    yield url
    execute(server, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture(scope="session")
def redis_url(worker_number: int) -> str:
    """Empty a logical database of Redis for this process alone."""
    url = urlunsplit(urlsplit(os.environ[REDIS])._replace(path=f"/{worker_number}"))
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


def execute(url: str, statement: str, name: str) -> None:
    """Run a statement about a whole database, which no transaction may surround."""
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(statement).format(sql.Identifier(name)))
    connection.close()
