"""Measure how many mails a second leave through the outbox: claim, render, keep, offer, settle.

PostgreSQL and Valkey are started in .local/mails, and workers as the Procfile has them; the rate limit is out of the
way. Each mail must leave exactly once, and a confirmation before its cancellation; otherwise the exit code is 1.
"""

import argparse
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import orjson
import psutil
import psycopg2
from psycopg2.extensions import connection as Connection

from scripts.bench.system import shared_environment
from scripts.stack import processes
from scripts.stack.databases import ask, connected
from scripts.stack.errors import StackError
from scripts.stack.procfile import ROOT, read_procfile
from scripts.stack.programs import Place, Program, run, start
from scripts.stack.provider import Offer, Provider
from scripts.stack.servers import Postgres, Valkey

FOLDER = ROOT / ".local" / "mails"
DATABASE = "mails"
KEY = "key of the fake"
POLL_SECONDS = 0.1
# So long without a mail, and a run has failed.
SILENCE_SECONDS = 30.0

# Blocks of a thousand mails: the confirmations of 500 bookings, then their cancellations.
MAILS = """
    WITH people AS (
        INSERT INTO users (name, email, password_hash) VALUES ('Person', 'person@example.com', '') RETURNING id
    ), diary AS (
        INSERT INTO bookings (user_id, title, start_time, end_time)
        SELECT id, 'Meeting ' || n, now() + n * interval '1 hour', now() + (n + 1) * interval '1 hour'
        FROM people, generate_series(1, (%(mails)s + 1) / 2) AS n
        RETURNING id, title, start_time, end_time
    )
    INSERT INTO emails (kind, recipient, data, booking_id, request_id)
    SELECT kind, 'person@example.com',
           jsonb_build_object('name', 'Person', 'booking_id', id, 'title', title, 'start_time', start_time,
                              'end_time', end_time),
           id, 'bench'
    FROM diary, (VALUES ('BOOKING_CONFIRMATION', 0), ('BOOKING_CANCELLED', 1)) AS mail (kind, half)
    ORDER BY id / 500, half, id
    LIMIT %(mails)s"""

RATE = """
    SELECT count(*), extract(epoch FROM max(settled_at) - min(settled_at))::float8
    FROM emails WHERE status = 'sent'"""


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run has shown; processor time in milliseconds a mail."""

    workers: int
    mails_per_second: float
    seconds_to_first: float
    worker_ms: float
    postgres_ms: float
    faults: Sequence[str]

    def __str__(self) -> str:
        return (
            f"{self.workers:7} {self.mails_per_second:12.0f} {self.seconds_to_first:12.1f} {self.worker_ms:14.2f}"
            f" {self.postgres_ms:16.2f}  {'; '.join(self.faults) or 'none'}"
        )


HEADER = "workers mails/second first after s worker CPU ms PostgreSQL CPU ms faults"


@dataclass(frozen=True, slots=True)
class Outbox:
    """The servers of all runs, and how mails are sent."""

    postgres: Postgres
    valkey: Valkey
    provider: Provider[Offer] | None
    settings: Mapping[str, str]

    def measure(self, mails: int, workers: int) -> Figures:
        """Let some workers send some mails, and check what they did."""
        address = self._prepare(mails)
        environment = {**shared_environment(self.valkey.url), "DATABASE_URL": address, **self.settings}
        place = Place(ROOT, environment, FOLDER)
        command = read_procfile(ROOT)["worker"]
        with ExitStack() as stack, connected(address) as connection:
            used = processes.processor_seconds(self.postgres.pid)
            began = time.time()
            programs = [start(stack, f"worker {number}", command, place) for number in range(1, workers + 1)]
            self._wait(connection, programs, mails)
            postgres_used = processes.processor_seconds(self.postgres.pid) - used
            worker_used = sum(processes.processor_seconds(program.process.pid) for program in programs)
            (first,) = ask(connection, "SELECT extract(epoch FROM min(settled_at))::float8 FROM emails")[0]
            sent, seconds = ask(connection, RATE)[0]
            faults = list(self._faults(connection, programs, mails))
        return Figures(
            workers, sent / seconds, first - began, worker_used / sent * 1000, postgres_used / sent * 1000, faults
        )

    def _prepare(self, mails: int) -> str:
        """Return the address of a new database in which mails wait."""
        with connected(self.postgres.url) as connection:
            ask(connection, f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        address = self.postgres.create_database(DATABASE)
        environment = {**shared_environment(self.valkey.url), "DATABASE_URL": address}
        run([sys.executable, "scripts/migrate.py"], ROOT, "The database could not be migrated", environment)
        with connected(address) as connection:
            ask(connection, MAILS, {"mails": mails})
            ask(connection, "VACUUM ANALYZE")
            ask(connection, "CHECKPOINT")
        if self.provider:
            self.provider.offers.clear()
        return address

    def _wait(self, connection: Connection, programs: Sequence[Program], mails: int) -> None:
        left, since = mails, time.monotonic()
        while left:
            time.sleep(POLL_SECONDS)
            for program in programs:
                program.check()
            (now_left,) = ask(connection, "SELECT count(*) FROM emails WHERE status = 'pending'")[0]
            if now_left != left:
                left, since = now_left, time.monotonic()
            elif time.monotonic() - since > SILENCE_SECONDS:
                raise StackError(f"{left:,} mails were left and nothing happened for {SILENCE_SECONDS:.0f} s.")

    def _faults(self, connection: Connection, programs: Sequence[Program], mails: int) -> Iterator[str]:
        """Yield what must not be: mails that were not sent, sent twice or sent before an earlier one."""
        statuses = dict(ask(connection, "SELECT status, count(*) FROM emails GROUP BY status"))
        if statuses != {"sent": mails}:
            yield f"statuses are {statuses}"
        rows = ask(connection, "SELECT id, idempotency_key::text, booking_id FROM emails ORDER BY id")
        if self.provider:
            ids = {key: email_id for email_id, key, _ in rows}
            offered = [ids[offer.key] for offer in self.provider.offers]
        else:
            offered = mocked(programs)
        repeated = sum(count - 1 for count in Counter(offered).values())
        if repeated or len(offered) != mails:
            yield f"{len(offered)} offers, of which {repeated} were repetitions"
        bookings = {email_id: booking_id for email_id, _, booking_id in rows}
        last: dict[int, int] = {}
        early = 0
        for email_id in offered:
            early += last.get(bookings[email_id], 0) > email_id
            last[bookings[email_id]] = email_id
        if early:
            yield f"{early} mails left before an earlier one about the same booking"


def mocked(programs: Sequence[Program]) -> list[int]:
    """Return the mails that the mock has accepted, in the order of time."""
    texts = [line for program in programs for line in program.log.read_text().splitlines()]
    lines = [orjson.loads(text) for text in texts if '"email_mocked"' in text]
    return [line["email_id"] for line in sorted(lines, key=lambda line: line["time"])]


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m scripts.bench.mails", description=__doc__)
    add = parser.add_argument
    add("--mails", type=int, default=10_000, help="that wait when the workers start (default: %(default)s)")
    add("--workers", type=int, nargs="+", default=[1, 2], help="one run with so many each (default: 1 2)")
    add("--provider", choices=["mock", "http"], default="mock", help="the mock, or a fake Resend (default: mock)")
    add("--delay", type=float, default=0.0, help="seconds that the provider takes for a mail (default: 0)")
    add("--concurrency", type=int, help="EMAIL_CONCURRENCY of the workers, if not the default")
    arguments = parser.parse_args()
    if arguments.mails < 2 or min(arguments.workers) < 1 or not 0 <= arguments.delay <= 10:
        parser.error("at least 2 mails, 1 worker and a delay from 0 to 10 seconds")
    return arguments


def main() -> int:
    """Measure with each number of workers; return the exit code."""
    arguments = read_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("interrupted."))
    FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = []
    try:
        with ExitStack() as stack:
            provider = stack.enter_context(Provider[Offer](arguments.delay)) if arguments.provider == "http" else None
            postgres = stack.enter_context(Postgres(FOLDER / "postgres"))
            valkey = stack.enter_context(Valkey(FOLDER / "valkey"))
            settings = {"EMAIL_RATE_LIMIT": "1000000", "EMAIL_MOCK_DELAY": str(arguments.delay)}
            if provider:
                settings |= {"EMAIL_PROVIDER": "resend", "EMAIL_API_KEY": KEY, "EMAIL_API_BASE_URL": provider.url}
            if arguments.concurrency:
                settings["EMAIL_CONCURRENCY"] = str(arguments.concurrency)
            outbox = Outbox(postgres, valkey, provider, settings)
            print(f"{arguments.mails:,} mails, {arguments.provider}, {arguments.delay:g} s a mail", HEADER, sep="\n")
            for workers in arguments.workers:
                found.append(outbox.measure(arguments.mails, workers))
                print(found[-1], flush=True)
    except (StackError, OSError, psycopg2.Error, psutil.Error) as error:
        print(f"mails: {str(error).strip()}", file=sys.stderr)
        return 1
    return int(any(figures.faults for figures in found))


if __name__ == "__main__":
    sys.exit(main())
