"""Fill a database with what a service has after a while, once, and copy it for each run."""

import hashlib
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import bcrypt
from psycopg2.extensions import connection as Connection

from scripts.bench.backlog import work_waiting
from scripts.stack.databases import administer, ask, connected
from scripts.stack.errors import StackError
from scripts.stack.programs import Place, start
from scripts.stack.programs import run as run_command
from scripts.stack.servers import Postgres

PASSWORD = "correct horse"  # noqa: S105  of people who do not exist
# The lowest cost: signing in is not what is measured, and hundreds do it before each run.
PASSWORD_COST = 4
RUN, AGAINST, UNFINISHED, PREFIX = "bench", "bench_against", "unfinished", "seeded_"
CHUNK = 250_000
CATCH_UP_POLL_SECONDS = 1.0
STANDSTILL_SECONDS = 60.0
ALL = 10**12

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


def prepare_database(postgres: Postgres, sizes: Sizes, place: Place, worker: str, say: Say, copy: str = RUN) -> str:
    """Return the address of a fresh copy of the database seeded for a revision, which is made unless it is there."""
    with connected(postgres.url) as connection:
        name = f"{PREFIX}{schema_of(place.folder)}_{fingerprint(str(STATEMENTS), str(asdict(sizes)))}"
        if name not in databases(connection):
            drop(connection, UNFINISHED)
            address = postgres.create_database(UNFINISHED)
            place = place.having(DATABASE_URL=address)
            command = [sys.executable, "scripts/migrate.py"]
            run_command(command, place.folder, "The database could not be migrated", place.environment)
            fill(address, sizes, say)
            let_worker_catch_up(place, worker, say)
            # Named when complete: an interrupted run leaves nothing that looks like a seeded database.
            administer(connection, "ALTER DATABASE {} RENAME TO {}", UNFINISHED, name)
        say("Copying the seeded database ...")
        drop(connection, copy)
        administer(connection, "CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy", copy, name)
    return postgres.url_for(copy)


def fill(address: str, sizes: Sizes, say: Say) -> None:
    """Insert all rows, a chunk at a time."""
    password_hash = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(PASSWORD_COST)).decode()
    with connected(address) as connection:
        for table, count in asdict(sizes).items():
            for first in range(1, count + 1, CHUNK):
                last = min(first + CHUNK - 1, count)
                ask(
                    connection,
                    STATEMENTS[table],
                    {**asdict(sizes), "first": first, "last": last, "password_hash": password_hash},
                )
                say(f"Seeding {table}: {last:,} of {count:,}")
        say("Seeding: VACUUM ANALYZE ...")
        ask(connection, "VACUUM ANALYZE")


def let_worker_catch_up(place: Place, worker: str, say: Say) -> None:
    """Run a worker until it has come to everything, such as adding up events; then vacuum again."""
    address, redis_url = place.environment["DATABASE_URL"], place.environment["REDIS_URL"]
    left, since = work_waiting(address, redis_url, ALL), time.monotonic()
    if not left:
        return
    say("Seeding: the worker comes to what was written ...")
    with ExitStack() as stack:
        program = start(stack, "seeding worker", worker, place)
        while left:
            time.sleep(CATCH_UP_POLL_SECONDS)
            program.check()
            if (now_left := work_waiting(address, redis_url, ALL)) != left:
                since = time.monotonic()
                say(f"Seeding: the worker still has {now_left:,} e-mails and events to come to")
            elif time.monotonic() - since > STANDSTILL_SECONDS:
                raise StackError(f"The worker has not come any further than {left:,} for {STANDSTILL_SECONDS:.0f} s.")
            left = now_left
    with connected(address) as connection:
        ask(connection, "VACUUM ANALYZE")


def tidy_up(postgres: Postgres, roots: Iterable[Path]) -> None:
    """Drop what was seeded for other migrations than these revisions have, and what an interrupted run has left."""
    kept = tuple(PREFIX + schema_of(root) for root in roots)
    with connected(postgres.url) as connection:
        for name in databases(connection):
            if name == AGAINST or (name.startswith(PREFIX) and not name.startswith(kept)):
                drop(connection, name)


def schema_of(root: Path) -> str:
    """Return a short name for exactly the migrations of a revision."""
    return fingerprint(*(path.read_text() for path in sorted((root / "sql/migrations").glob("*.sql"))))


def databases(connection: Connection) -> list[str]:
    """Return the names of all databases."""
    return [name for (name,) in ask(connection, "SELECT datname FROM pg_database")]


def drop(connection: Connection, name: str) -> None:
    """Drop a database if it is there."""
    administer(connection, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


def fingerprint(*texts: str) -> str:
    """Return a short name for exactly these texts."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:8]
