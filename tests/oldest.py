"""The oldest PostgreSQL that is supported, from Debian's package, beside the one that comes with the tests."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from scripts.stack.servers import THROWAWAY, Postgres
from sql.migrator import OLDEST_POSTGRESQL

FOLDER = Path(f"/usr/lib/postgresql/{OLDEST_POSTGRESQL}/bin")
REQUIRED = "TEST_OLDEST_POSTGRESQL"
MISSING = f"PostgreSQL {OLDEST_POSTGRESQL} is not installed: apt-get install postgresql-{OLDEST_POSTGRESQL}"


class OldestPostgres(Postgres):
    """A server of the oldest version that is supported."""

    binaries = FOLDER
    # It has no locale of its own yet.
    locale = ("--locale=C.UTF-8",)


@contextmanager
def oldest_server() -> Iterator[str]:
    """Run a server of the oldest version, and yield the address of its maintenance database.

    Where its package is missing the test is skipped, or fails if the environment says that it is required.
    """
    if not FOLDER.is_dir():
        (pytest.fail if os.environ.get(REQUIRED) else pytest.skip)(MISSING)
    with (
        TemporaryDirectory(prefix="scheduling-") as folder,
        OldestPostgres(Path(folder) / "postgres", settings=THROWAWAY) as server,
    ):
        yield server.url
