"""Forward-only migrations: numbered files, applied once, in order, by one process at a time."""

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg2
from psycopg2.errors import DeadlockDetected, LockNotAvailable
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL, Identifier

FOLDER = Path(__file__).with_name("migrations")
# The oldest version that the statements are planned for and tested on.
OLDEST_POSTGRESQL = 15

# An arbitrary number. Locks of diaries have two numbers; those of idempotency keys are hashes among single numbers.
_LOCK = 7_316_420_001
# Shorter than a request waits for a lock: requests that queue behind a migration are late, and not refused.
_LOCK_MILLISECONDS = 1000
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 15.0
_LOCKED = (LockNotAvailable, DeadlockDetected)
_CONCURRENT_INDEX = re.compile(
    r"^CREATE (?:UNIQUE )?INDEX CONCURRENTLY (?:IF NOT EXISTS )?(?P<name>\w+)", re.IGNORECASE | re.MULTILINE
)
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
    def file(self) -> str:
        """Return the name of the file."""
        return f"{self.version:04}_{self.name}.sql"

    @property
    def checksum(self) -> str:
        """Return the digest that shows whether a file was edited after it was applied."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def in_transaction(self) -> bool:
        """Tell whether the file may run in a transaction; CREATE INDEX CONCURRENTLY may not."""
        return not self.text.startswith("-- no-transaction")


def load_migrations(folder: Path = FOLDER) -> list[Migration]:
    """Read the files in order; raise MigrationError for a gap, a duplicate or an invalid name."""
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

    It is polled: a wait inside pg_advisory_lock keeps a snapshot that CREATE INDEX CONCURRENTLY waits for.
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
                f"{known.file} was changed after it was applied; undo the change and write a new migration"
            )
    return [migration for migration in migrations if migration.version not in applied]


def apply_when_unlocked(
    connection: Connection, migration: Migration, *, within: float, report: Callable[[str], None]
) -> None:
    """Apply one migration; while others hold locks that it needs, roll back and try again, for so many seconds.

    Statements that come later wait behind a waiting migration, so it waits for a second at most each time.
    """
    deadline = time.monotonic() + within
    pause = _FIRST_PAUSE
    while True:
        try:
            return apply_migration(connection, migration, lock_timeout=within)
        except MigrationError as error:
            left = deadline - time.monotonic()
            if not isinstance(error.__cause__, _LOCKED) or not migration.in_transaction or left <= 0:
                raise
            pause = min(pause * 2, _LONGEST_PAUSE, left)
            report(f"{migration.file} waits for a lock; next attempt in {pause:.1f} s, {left:.0f} s left")
            time.sleep(pause)


def apply_migration(connection: Connection, migration: Migration, *, lock_timeout: float = 300.0) -> None:
    """Apply one migration and record it, together where the file allows it."""
    with connection.cursor() as cursor:
        try:
            if migration.in_transaction:
                cursor.execute("BEGIN")
                cursor.execute("SELECT set_config('lock_timeout', %s, true)", (f"{_LOCK_MILLISECONDS}ms",))
            else:
                _prepare_index(cursor, migration, lock_timeout)
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
            raise MigrationError(f"{migration.file} failed: {reason}") from error


def _prepare_index(cursor: Cursor, migration: Migration, lock_timeout: float) -> None:
    """Drop an index that an interrupted run has left, valid or not: it was not recorded."""
    # No statement waits behind it, so it may wait as long as a transaction takes.
    cursor.execute("SELECT set_config('lock_timeout', %s, false)", (f"{int(lock_timeout * 1000)}ms",))
    index = _CONCURRENT_INDEX.search(migration.text)
    if index:
        cursor.execute(SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(Identifier(index["name"])))


def applied_migrations(connection: Connection) -> dict[int, datetime]:
    """Return when each migration was applied."""
    if not _has_ledger(connection):
        return {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT version, applied_at FROM schema_migrations ORDER BY version")
        return dict(cursor.fetchall())


def refuse_old_server(connection: Connection) -> None:
    """Raise MigrationError when the server is older than what is supported."""
    major = connection.server_version // 10_000
    if major < OLDEST_POSTGRESQL:
        raise MigrationError(
            f"PostgreSQL {major} is too old; upgrade the server to PostgreSQL {OLDEST_POSTGRESQL} or newer"
        )


def _applied(connection: Connection) -> dict[int, str]:
    if not _has_ledger(connection):
        return {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT version, checksum FROM schema_migrations ORDER BY version")
        return dict(cursor.fetchall())


def _has_ledger(connection: Connection) -> bool:
    return bool(_value(connection, "SELECT to_regclass('schema_migrations') IS NOT NULL", ()))


def create_ledger(connection: Connection) -> None:
    """Create the table of applied migrations; call this while holding the lock."""
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
