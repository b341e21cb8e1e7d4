"""Fill a database with what a service has after a while, once, and copy it for each run."""

import hashlib
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import bcrypt
import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from scripts.bench.errors import BenchError
from scripts.servers import Postgres

ROOT = Path(__file__).resolve().parent.parent.parent
PASSWORD = "correct horse"  # noqa: S105  of people who do not exist
# The lowest cost: signing in is not what is measured, and hundreds do it before each run.
PASSWORD_COST = 4
RUN, UNFINISHED, PREFIX = "bench", "unfinished", "seeded_"
CHUNK = 250_000

Say = Callable[[str], None]

# Each inserts rows number first to last. Neighbours in a table belong to different people, as they do in life.
STATEMENTS = {
    "users": """
        INSERT INTO users (name, email, password_hash, created_at)
        SELECT 'Person ' || n, 'person' || n || '@example.com', %(password_hash)s, now() - random() * interval '1 year'
        FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n""",
    # A diary spans two years around now; entries of one person do not overlap, so that some can be exclusive.
    "bookings": """
        INSERT INTO bookings (user_id, title, start_time, end_time, status, exclusive)
        SELECT 1 + n %% %(users)s, 'Meeting about subject ' || n %% 1000, begins,
               begins + least(interval '1 hour', pace), CASE WHEN n %% 10 = 0 THEN 'cancelled' ELSE 'confirmed' END,
               n %% 20 = 1
        FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n,
             LATERAL (SELECT interval '2 years' / ceil(%(bookings)s / %(users)s::float + 1)) AS diary (pace),
             LATERAL (SELECT date_trunc('hour', now()) - interval '1 year' + n / %(users)s * pace) AS entry (begins)""",
    "notifications": """
        INSERT INTO notifications (user_id, type, title, message, is_read, metadata, created_at)
        SELECT 1 + n %% %(users)s, 'BOOKING_CONFIRMED', 'Booking "Meeting ' || n || '" confirmed',
               'Your booking "Meeting ' || n || '" is confirmed for 2030-01-01 10:00 UTC.',
               random() < 0.9, jsonb_build_object('booking_id', n), now() - random() * interval '1 year'
        FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n""",
    "analytics_events": """
        INSERT INTO analytics_events (user_id, event_type, metadata, created_at)
        SELECT CASE WHEN n %% 10 > 0 THEN 1 + floor(random() * %(users)s)::bigint END, 'event_' || n %% 20,
               jsonb_build_object('page', '/pages/' || n %% 100),
               now() - interval '90 days' + n * interval '90 days' / %(analytics_events)s
        FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n""",
}


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many rows each table has."""

    users: int
    bookings: int
    notifications: int
    analytics_events: int


def prepare_database(postgres: Postgres, sizes: Sizes, environment: Mapping[str, str], say: Say) -> str:
    """Return the address of a fresh copy of the seeded database, which is made first unless it is there."""
    connection = psycopg2.connect(postgres.url)
    connection.autocommit = True
    try:
        schema = fingerprint(*(path.read_text() for path in sorted((ROOT / "sql/migrations").glob("*.sql"))))
        name = f"{PREFIX}{schema}_{fingerprint(str(STATEMENTS), str(asdict(sizes)))}"
        forget_other_schemas(connection, schema)
        if name not in databases(connection):
            drop(connection, UNFINISHED)
            fill(postgres.create_database(UNFINISHED), sizes, environment, say)
            # Named when complete: an interrupted run leaves nothing that looks like a seeded database.
            run(connection, "ALTER DATABASE {} RENAME TO {}", UNFINISHED, name)
        say("Copying the seeded database ...")
        drop(connection, RUN)
        run(connection, "CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy", RUN, name)
    finally:
        connection.close()
    return postgres.url_for(RUN)


def fill(url: str, sizes: Sizes, environment: Mapping[str, str], say: Say) -> None:
    """Migrate a database and insert all rows, a chunk at a time."""
    command = [sys.executable, "scripts/migrate.py"]
    migrated = subprocess.run(
        command, cwd=ROOT, env={**environment, "DATABASE_URL": url}, capture_output=True, text=True, check=False
    )
    if migrated.returncode:
        raise BenchError(f"The database could not be migrated: {migrated.stderr.strip()[-300:]}")
    password_hash = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(PASSWORD_COST)).decode()
    connection = psycopg2.connect(url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            for table, count in asdict(sizes).items():
                for first in range(1, count + 1, CHUNK):
                    last = min(first + CHUNK - 1, count)
                    parameters = asdict(sizes) | {"first": first, "last": last, "password_hash": password_hash}
                    cursor.execute(STATEMENTS[table], parameters)
                    say(f"Seeding {table}: {last:,} of {count:,}")
            say("Seeding: VACUUM ANALYZE ...")
            cursor.execute("VACUUM ANALYZE")
    finally:
        connection.close()


def forget_other_schemas(connection: Connection, schema: str) -> None:
    """Drop what was seeded for migrations that have changed since."""
    for name in databases(connection):
        if name.startswith(PREFIX) and not name.startswith(PREFIX + schema):
            drop(connection, name)


def databases(connection: Connection) -> list[str]:
    """Return the names of all databases."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database")
        return [name for (name,) in cursor.fetchall()]


def drop(connection: Connection, name: str) -> None:
    """Drop a database if it is there."""
    run(connection, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


def run(connection: Connection, statement: str, *names: str) -> None:
    """Run a statement about whole databases."""
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def fingerprint(*texts: str) -> str:
    """Return a short name for exactly these texts."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:8]
