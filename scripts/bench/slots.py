"""Measure how long one guest waits for the slots of a month."""

import http.client
import json
import random
import statistics
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from psycopg2.extensions import connection as Connection

from scripts.bench.report import Section, grid
from scripts.bench.routes import PREFIX
from scripts.bench.seed import Say
from scripts.stack import databases
from scripts.stack.databases import connected
from scripts.stack.servers import HOST

DAYS = 31
PEOPLE, TOGETHER = 200, 10
REQUESTS, WARM_UP = 1000, 100
PATIENCE_SECONDS = 10
LINKS = """
    SELECT CASE assignment WHEN 'any' THEN %(together)s ELSE 1 END AS hosts, array_agg(uid ORDER BY id)
    FROM event_types GROUP BY hosts ORDER BY hosts"""
# The 95th percentile in milliseconds, by the number of hosts.
GOALS = {1: 15.0, TOGETHER: 40.0}
TAKEN_UPCOMING, TAKEN_BEFORE = 100, 400

# Beside what their diaries have already, guests have booked each host some times a day, for a year and a month.
OFFERS = (
    """
    INSERT INTO schedules (user_id, name, time_zone, rules, is_default)
    SELECT id, 'Office', 'Europe/Berlin',
           '[{"days": ["MO", "TU", "WE", "TH", "FR"], "start": "09:00", "end": "17:00"}]', true
    FROM users WHERE id <= %(people)s
    """,
    """
    INSERT INTO event_types (uid, owner_id, title, duration_minutes, slot_minutes, assignment)
    SELECT rpad(hosts || '-hosts-' || id || '-', 22, '-'), id, 'Talk', 30, 30,
           CASE hosts WHEN 1 THEN 'one' ELSE 'any' END
    FROM users, unnest(ARRAY[1, %(together)s]) AS size (hosts)
    WHERE id <= %(people)s AND id %% hosts = 0
    """,
    """
    INSERT INTO event_type_hosts (event_type_id, user_id)
    SELECT event_types.id, users.id
    FROM event_types JOIN users
      ON users.id BETWEEN owner_id - CASE assignment WHEN 'any' THEN %(together)s - 1 ELSE 0 END AND owner_id
    """,
    """
    WITH meeting AS MATERIALIZED (
        SELECT user_id, event_type_id, uid AS event_type_uid, number || '-' || user_id || '-' || uid AS uid, start
        FROM event_type_hosts JOIN event_types ON event_types.id = event_type_id,
             generate_series(-%(before)s, %(upcoming)s - 1) AS number,
             LATERAL (SELECT date_trunc('day', now())
                             + number %% CASE WHEN number < 0 THEN 365 ELSE %(days)s END * interval '1 day'
                             + (8 + abs(number) / CASE WHEN number < 0 THEN 365 ELSE %(days)s END * 2)
                               * interval '1 hour') AS slot (start)
    ), appointment AS (
        INSERT INTO appointments (uid, event_type_id, title, start_time, end_time)
        SELECT uid, event_type_id, 'Talk', start, start + interval '30 minutes' FROM meeting
        RETURNING id, uid
    )
    INSERT INTO bookings (user_id, title, start_time, end_time, appointment_id, event_type_uid)
    SELECT user_id, 'Talk', start, start + interval '30 minutes', appointment.id, event_type_uid
    FROM meeting JOIN appointment USING (uid)
    """,
    "VACUUM ANALYZE",
)
EXPLANATION = f"""\
One client asks for {DAYS} days, {REQUESTS} times, each time as soon as the last answer is there: what it waits is what
the service takes, and the loopback interface. Each host works office hours, and guests have booked {TAKEN_UPCOMING}
times through each link for these days, and {TAKEN_BEFORE} times before."""


@dataclass(frozen=True, slots=True)
class Waits:
    """What one client has seen for links with so many hosts; times in milliseconds."""

    hosts: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    goal_ms: float
    slots: float
    errors: int


def measure(port: int, database_url: str, say: Say) -> Section:
    """Offer people, and ask for their slots."""
    say("Offering slots of people ...")
    with connected(database_url) as connection:
        links = offer(connection)
        waits = [ask(port, hosts, uids, REQUESTS) for hosts, uids in links.items()]
        for wait in waits:
            say(f"Slots, {DAYS} days, {wait.hosts:2} hosts  p50 {wait.p50_ms:.1f} ms  p95 {wait.p95_ms:.1f} ms")
    return summarise(waits)


def offer(connection: Connection) -> dict[int, list[str]]:
    """Make people bookable; return the uids of event types by the number of their hosts."""
    sizes = {"people": PEOPLE, "together": TOGETHER, "days": DAYS, "upcoming": TAKEN_UPCOMING, "before": TAKEN_BEFORE}
    for statement in OFFERS:
        databases.ask(connection, statement, sizes)
    return dict(databases.ask(connection, LINKS, sizes))


def ask(port: int, hosts: int, uids: Sequence[str], requests: int) -> Waits:
    """Ask for slots, one request after the other, over one connection."""
    times, found, errors = [], [], 0
    with closing(http.client.HTTPConnection(HOST, port, timeout=PATIENCE_SECONDS)) as connection:
        for number in range(WARM_UP + requests):
            path = path_of(random.choice(uids))  # noqa: S311  no secret
            began = time.perf_counter()
            connection.request("GET", path)
            answer = connection.getresponse()
            content = answer.read()
            took = time.perf_counter() - began
            if number >= WARM_UP:
                times.append(1000 * took)
                errors += answer.status != 200
                found.append(sum(len(day["slots"]) for day in json.loads(content).get("days", ())))
    percentiles = statistics.quantiles(times, n=100)
    p50, p95, p99 = percentiles[49], percentiles[94], percentiles[98]
    return Waits(hosts, p50, p95, p99, GOALS[hosts], statistics.mean(found), errors)


def path_of(uid: str) -> str:
    """Return the question for a month that begins within the next hour."""
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=random.randrange(3600))  # noqa: S311
    query = {"from": start.isoformat(), "to": (start + timedelta(days=DAYS)).isoformat(), "time_zone": "Asia/Tokyo"}
    return f"{PREFIX}/event-types/{uid}/slots?{urlencode(query)}"


def summarise(waits: Sequence[Waits]) -> Section:
    """Return the table; an answer that was no 200 is a failure."""
    head = ("route", "p50 ms", "p95 ms", "p99 ms", "goal for p95", "slots", "errors")
    rows = [
        (
            f"GET slots, {DAYS} days, {wait.hosts} host{'s' * (wait.hosts > 1)}",
            *(f"{figure:.1f}" for figure in (wait.p50_ms, wait.p95_ms, wait.p99_ms)),
            f"{wait.goal_ms:.0f}",
            f"{wait.slots:.0f}",
            f"{wait.errors}",
        )
        for wait in waits
    ]
    failed = any(wait.errors for wait in waits)
    return Section(
        "slots",
        f"## Slots\n\n{grid([head, *rows], names=1)}\n\n{EXPLANATION}",
        [asdict(wait) for wait in waits],
        failed,
    )
