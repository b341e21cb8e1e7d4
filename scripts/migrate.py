"""Bring the database at DATABASE_URL to the schema that this code expects."""

import argparse
import sys
from pathlib import Path

import psycopg2

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from jobs.settings import read_database_url
from sql.migrator import (
    MigrationError,
    apply_migration,
    create_ledger,
    load_migrations,
    migration_lock,
    pending_migrations,
)


def main() -> int:
    """Apply what is pending; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dry-run", action="store_true", help="say what would be applied, change nothing")
    parser.add_argument("--wait", type=float, default=120, metavar="SECONDS", help="for another migration to end")
    arguments = parser.parse_args()
    try:
        return migrate(dry_run=arguments.dry_run, wait=arguments.wait)
    except psycopg2.OperationalError as error:
        return fail(f"PostgreSQL is not reachable: {str(error).strip().splitlines()[0]}")
    except psycopg2.ProgrammingError:
        return fail("DATABASE_URL is not an address of PostgreSQL")
    except MigrationError as error:
        return fail(str(error))


def migrate(*, dry_run: bool, wait: float) -> int:
    """Apply every pending migration under the lock, one line each."""
    migrations = load_migrations()
    connection = psycopg2.connect(
        read_database_url(), connect_timeout=10, application_name="migrate", options="-c lock_timeout=10s"
    )
    connection.autocommit = True
    try:
        if dry_run:
            for migration in pending_migrations(connection, migrations):
                print(f"would apply {migration.version:04} {migration.name}")
            return 0
        with migration_lock(connection, wait_within=wait):
            create_ledger(connection)
            pending = pending_migrations(connection, migrations)
            for number, migration in enumerate(pending, start=1):
                print(f"[{number}/{len(pending)}] {migration.version:04} {migration.name}", flush=True)
                apply_migration(connection, migration)
        print(f"The schema is at version {len(migrations)}.")
        return 0
    finally:
        connection.close()


def fail(message: str) -> int:
    """Say what is wrong in one line; return the exit code."""
    print(f"migrate: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
