"""Bring the database at DATABASE_URL to the schema that this code expects."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection as Connection

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from jobs.settings import read_database_url
from sql.migrator import (
    MigrationError,
    applied_migrations,
    apply_when_unlocked,
    create_ledger,
    load_migrations,
    migration_lock,
    pending_migrations,
    refuse_old_server,
)

COMMANDS = ("apply", "status")
EXIT_CODES = """\
exit codes:
  0  the schema is what this code expects
  1  it could not be brought there, or not be looked at; one line says why
  2  the command line is wrong
  3  status: migrations are pending
"""
PENDING = 3


def main() -> int:
    """Apply what is pending, or list it; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXIT_CODES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "command", nargs="?", choices=COMMANDS, default="apply", help="apply what is pending (default), or list it all"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be applied, change nothing")
    parser.add_argument("--wait", type=float, default=120, metavar="SECONDS", help="for another migration to end")
    parser.add_argument(
        "--lock-wait", type=float, default=300, metavar="SECONDS", help="for transactions that are in the way to end"
    )
    arguments = parser.parse_args()
    try:
        with connected() as connection:
            if arguments.command == "status":
                return status(connection)
            if arguments.dry_run:
                return dry_run(connection)
            return migrate(connection, wait=arguments.wait, lock_wait=arguments.lock_wait)
    except psycopg2.OperationalError as error:
        return fail(f"PostgreSQL is not reachable: {str(error).strip().splitlines()[0]}")
    except psycopg2.ProgrammingError:
        return fail("DATABASE_URL is not an address of PostgreSQL")
    except MigrationError as error:
        return fail(str(error))


@contextmanager
def connected() -> Iterator[Connection]:
    """Connect to a server that is new enough."""
    connection = psycopg2.connect(
        read_database_url(), connect_timeout=10, application_name="migrate", options="-c TimeZone=UTC"
    )
    connection.autocommit = True
    try:
        refuse_old_server(connection)
        yield connection
    finally:
        connection.close()


def migrate(connection: Connection, *, wait: float, lock_wait: float) -> int:
    """Apply every pending migration under the lock, one line each."""
    migrations = load_migrations()
    with migration_lock(connection, wait_within=wait):
        create_ledger(connection)
        pending = pending_migrations(connection, migrations)
        for number, migration in enumerate(pending, start=1):
            say(f"[{number}/{len(pending)}] {migration.version:04} {migration.name}")
            apply_when_unlocked(connection, migration, within=lock_wait, report=say)
    say(f"The schema is at version {len(migrations)}.")
    return 0


def dry_run(connection: Connection) -> int:
    """Say what would be applied."""
    for migration in pending_migrations(connection, load_migrations()):
        say(f"would apply {migration.version:04} {migration.name}")
    return 0


def status(connection: Connection) -> int:
    """List every migration with the time at which it was applied."""
    migrations = load_migrations()
    pending = pending_migrations(connection, migrations)
    applied_at = applied_migrations(connection)
    for migration in migrations:
        applied = applied_at.get(migration.version)
        when = f"applied {applied:%Y-%m-%d %H:%M:%S} UTC" if applied else "pending"
        say(f"{migration.version:04} {migration.name:<{max(len(each.name) for each in migrations)}}  {when}")
    say(f"{len(migrations) - len(pending)} applied, {len(pending)} pending.")
    return PENDING if pending else 0


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def fail(message: str) -> int:
    """Say what is wrong in one line; return the exit code."""
    print(f"migrate: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
