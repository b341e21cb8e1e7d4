"""Let pgbench send PostgreSQL the statements of a route, and nothing else: the limit that the database sets."""

import os
import re
import shutil
import statistics
import subprocess
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg2
from psycopg2.extensions import parse_dsn

from jobs.notifications import BOOKING_CONFIRMED
from scripts.bench.load import Load
from scripts.bench.measure import Bench
from scripts.bench.routes import PEOPLE, ROWS, Route
from scripts.bench.seed import Sizes
from scripts.bench.server import Server
from scripts.bench.system import API, System
from scripts.stack.errors import StackError
from scripts.stack.servers import POSTGRES
from sql.queries import analytics, bookings, notifications

PGBENCH = "pgbench"
PATIENCE_SECONDS = 30
# pgbench counts what it takes to connect as time, but not in its figures.
CONNECT_SECONDS = 1
# As many connections as both web processes have.
MOST_CLIENTS = 64

# What the API sends before the first statement of somebody who is signed in, in the same message.
GUARD = "SELECT require_caller(%(user_id)s, %(issued_at)s, %(token_id)s)"
# An event tells by itself what its token is worth.
UNGUARDED = {"POST /analytics/event"}
STATEMENTS: Mapping[str, str] = {
    "POST /bookings": bookings.insert_booking.sql,
    f"GET /bookings ({ROWS} rows)": bookings.select_bookings.sql,
    "GET /bookings/:id": bookings.select_booking.sql,
    "GET /notifications/count": notifications.count_unread_notifications.sql,
    "POST /analytics/event": analytics.insert_event.sql,
}

# The same people and rows as the routes have; seed.py deals bookings out to people in turn.
CHOICES = r"""\set user_id random(1, :people)
\set booking_id :user_id - 1 + :users * random(1, :rows)
\set start :now + 60 * random(60, 1051200)
"""
# pgbench calculates with numbers only; what is absent is planned as NULL, as the API does it.
PARAMETERS = {
    "start_time": "to_timestamp(:start)",
    "end_time": "to_timestamp(:start + 1800)",
    **dict.fromkeys(("status", "overlaps_from", "overlaps_to", "after_start_time", "after_id"), "NULL"),
}
VALUES = {
    "token_id": "bench",
    "title": "Meeting about the bench",
    "notification_title": BOOKING_CONFIRMED["notification_title"],
    "notification_message": BOOKING_CONFIRMED["notification_message"],
    "exclusive": "false",
    "request_id": "bench",
    # One more tells whether there is another page.
    "limit": str(ROWS + 1),
    "event_type": "page_view",
    "metadata": '{"page": "/pages/1", "referrer": "bench"}',
}
TOKENS = re.compile(r"--[^\n]*|'(?:[^']|'')*'|%\((?P<parameter>\w+)\)s|%%")
DEALT_OUT = """
    SELECT count(*) = %(people)s FROM bookings
    WHERE id BETWEEN %(users)s AND %(users)s + %(people)s - 1 AND user_id = id - %(users)s + 1"""


@dataclass(frozen=True, slots=True)
class Pgbench:
    """Sends the statements of a route over some connections, each as soon as the last was answered."""

    program: str
    folder: Path
    environment: Mapping[str, str]
    clients: int
    values: Mapping[str, str]

    def run(self, route: str, seconds: float) -> Load:
        """Send the statements for a while."""
        with TemporaryDirectory(dir=self.folder) as folder:
            file = Path(folder) / "script"
            file.write_text(script(route))
            duration = max(1, round(seconds)) + CONNECT_SECONDS
            command = [
                *(self.program, "--no-vacuum", "--protocol=prepared", f"--client={self.clients}", "--jobs=1"),
                *(f"--time={duration}", "--log", f"--log-prefix={folder}/log", f"--file={file}"),
                *(f"--define={name}={value}" for name, value in self.values.items()),
            ]
            limit = duration + PATIENCE_SECONDS
            try:
                result = subprocess.run(
                    command, env=self.environment, capture_output=True, text=True, timeout=limit, check=False
                )
            except subprocess.TimeoutExpired:
                raise StackError(f"pgbench did not end within {limit:.0f} s.") from None
            # Third is how long it took in microseconds, or that it failed.
            times = [line.split()[2] for log in Path(folder).glob("log.*") for line in log.read_text().splitlines()]
        speed = re.search(r"tps = ([\d.]+)", result.stdout)
        done = [int(time) / 1000 for time in times if time.isdigit()]
        if result.returncode or speed is None:
            raise StackError(f"pgbench failed at {route}: {(result.stderr or result.stdout).strip()[-300:]}")
        if not done:
            raise StackError(f"None of {self.clients} connections of pgbench got an answer within {duration} s.")
        percentiles = statistics.quantiles(done if len(done) > 1 else done * 2, n=100)
        elapsed = len(done) / float(speed[1])
        return Load(len(done), len(times) - len(done), elapsed, percentiles[49], percentiles[98])


@dataclass(frozen=True)
class BenchWithStatements(Bench):
    """A bench in which pgbench has its turns beside the servers."""

    pgbench: Pgbench

    def _rivals(self, route: Route) -> list[str]:
        # The dashboard's statement fits no generic plan; pgbench would measure that.
        return [name for name in super()._rivals(route) if name != PGBENCH or route.name in STATEMENTS]

    def _load(self, route: Route, name: str, seconds: float) -> Load:
        if name == PGBENCH:
            return self.pgbench.run(route.name, seconds)
        return super()._load(route, name, seconds)


def with_pgbench(system: System) -> System:
    """Return a system with turns for pgbench; the worker of the API comes to what it writes."""
    api = system.servers[API]
    return replace(system, servers={**system.servers, PGBENCH: Server(api.web, api.worker)})


def find_pgbench(database_url: str, sizes: Sizes, folder: Path, clients: int) -> Pgbench | None:
    """Return pgbench for a seeded database, or None where there is none."""
    program = shutil.which(PGBENCH, path=f"{POSTGRES}{os.pathsep}{os.environ.get('PATH', os.defpath)}")
    if program is None:
        return None
    people = min(PEOPLE, sizes.users)
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        cursor.execute(DEALT_OUT, {"people": people, "users": sizes.users})
        if cursor.fetchone() != (True,):
            raise StackError("pgbench would ask for bookings that are not there: seed.py deals them out otherwise.")
    numbers = {
        "people": people,
        "users": sizes.users,
        "rows": sizes.bookings // sizes.users - 1,
        "now": int(time.time()),
        "issued_at": int(time.time()),
    }
    values = {**VALUES, **{name: str(number) for name, number in numbers.items()}}
    return Pgbench(program, folder, environment(database_url), min(clients, MOST_CLIENTS), values)


def environment(database_url: str) -> dict[str, str]:
    """Return what leads pgbench to a database; arguments would show the password to every user of the machine."""
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}
    found = {names[name]: str(value) for name, value in parse_dsn(database_url).items() if name in names}
    return {**os.environ, **found, "PGOPTIONS": "-c TimeZone=UTC -c jit=off"}


def script(route: str) -> str:
    """Return what pgbench does for one request: one message and one transaction, as the API has it."""
    statements = [STATEMENTS[route]] if route in UNGUARDED else [GUARD, STATEMENTS[route]]
    texts = "\n".join(f"{render(text).strip().rstrip(';')};" for text in statements)
    return f"{CHOICES}\\startpipeline\n{texts}\n\\endpipeline\n"


def render(statement: str) -> str:
    """Return a statement of ours as pgbench reads it."""
    return TOKENS.sub(_render_token, statement)


def _render_token(match: re.Match[str]) -> str:
    text = match[0].replace("%%", "%")
    if name := match["parameter"]:
        return PARAMETERS.get(name, f":{name}")
    if text.startswith("--"):
        return ""
    if text.startswith("'") and ":" in text:
        # pgbench looks for variables in strings too.
        return "E" + text.replace("\\", "\\\\").replace(":", "\\x3A")
    return text
