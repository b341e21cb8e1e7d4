"""Forward-only migrations: numbered files, applied once, in order, by one process at a time."""

import hashlib
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection as Connection

FOLDER = Path(__file__).with_name("migrations")

# An arbitrary number. The diary's locks live in the space of two numbers; those of idempotency keys are hashes here.
_LOCK = 7_316_420_001
_NAME = re.compile(r"(?P<version>\d{4})_(?P<name>[a-z0-9_]+)\.sql")


class MigrationError(Exception):
    """The migrations cannot be applied; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file."""

    version: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """Return what tells an edited file from the one that was applied."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def in_transaction(self) -> bool:
        """Tell whether the file may run in a transaction; CREATE INDEX CONCURRENTLY may not."""
        return not self.text.startswith("-- no-transaction")


def load_migrations(folder: Path = FOLDER) -> list[Migration]:
    """Read the files in order; raise MigrationError for a gap, a duplicate or a name that is none."""
    migrations = []
    for expected, path in enumerate(sorted(folder.glob("*.sql")), start=1):
        match = _NAME.fullmatch(path.name)
        if match is None or int(match["version"]) != expected:
            raise MigrationError(f"{path.name} should be named {expected:04}_<what_it_does>.sql")
        migrations.append(Migration(expected, match["name"], path.read_text()))
    return migrations


def latest_version(folder: Path = FOLDER) -> int:
    """Return the version of the schema that this code expects."""
    return len(load_migrations(folder))


@contextmanager
def migration_lock(connection: Connection, *, wait_within: float) -> Iterator[None]:
    """Hold the lock that lets one process migrate; raise MigrationError when it is not free in time (seconds).

    It is polled: who waits inside pg_advisory_lock keeps a snapshot that CREATE INDEX CONCURRENTLY waits for.
    """
    deadline = time.monotonic() + wait_within
    while not _value(connection, "SELECT pg_try_advisory_lock(%s)", (_LOCK,)):
        if time.monotonic() > deadline:
            raise MigrationError("another process is still migrating; try again when it has finished")
        time.sleep(0.1)
    try:
        yield
    finally:
        if not connection.closed:
            _value(connection, "SELECT pg_advisory_unlock(%s)", (_LOCK,))


def pending_migrations(connection: Connection, migrations: list[Migration]) -> list[Migration]:
    """Return what is not applied yet; raise MigrationError when an applied file was changed or is missing."""
    applied = _applied(connection)
    for version, checksum in applied.items():
        known = next((migration for migration in migrations if migration.version == version), None)
        if known is None:
            raise MigrationError(
                f"the database has migration {version:04}, which this code does not know; deploy newer code"
            )
        if known.checksum != checksum:
            raise MigrationError(
                f"{known.version:04}_{known.name}.sql was changed after it was applied; undo the change and "
                "write a new migration"
            )
    return [migration for migration in migrations if migration.version not in applied]


def apply_migration(connection: Connection, migration: Migration) -> None:
    """Apply one migration and record it, together where the file allows it."""
    with connection.cursor() as cursor:
        if migration.in_transaction:
            cursor.execute("BEGIN")
        try:
            cursor.execute(migration.text)
            cursor.execute(
                "INSERT INTO schema_migrations (version, name, checksum) VALUES (%s, %s, %s)",
                (migration.version, migration.name, migration.checksum),
            )
            if migration.in_transaction:
                cursor.execute("COMMIT")
        except psycopg2.Error as error:
            if migration.in_transaction and not connection.closed:
                cursor.execute("ROLLBACK")
            reason = str(error).strip().splitlines()[0]
            raise MigrationError(f"{migration.version:04}_{migration.name}.sql failed: {reason}") from error


def _applied(connection: Connection) -> dict[int, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('schema_migrations') IS NOT NULL")
        row = cursor.fetchone()
        if row is None or not row[0]:
            return {}
        cursor.execute("SELECT version, checksum FROM schema_migrations ORDER BY version")
        return dict(cursor.fetchall())


def create_ledger(connection: Connection) -> None:
    """Create the table that remembers what was applied; call it under the lock."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            CREATE TABLE IF NOT EXISTS schema_migrations (
                version    integer CONSTRAINT schema_migrations_pkey PRIMARY KEY,
                name       text NOT NULL,
                checksum   text NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT now()
            )
            """
        )


def _value(connection: Connection, statement: str, parameters: tuple[object, ...]) -> object:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        row = cursor.fetchone()
        return None if row is None else row[0]
