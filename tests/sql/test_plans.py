"""With a million rows in a table, what is asked for costs what it returns, and nothing reads a table as a whole."""

import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from jobs.analytics.rollup import Rollup
from sql import queries
from sql.database import Database
from sql.migrator import apply_migration, create_ledger, load_migrations
from sql.pool import Session
from tests.databases import ask, connected, empty_database
from tests.jobs.analytics.events import Events
from tests.oldest import oldest_server
from tests.sql.plans import BOOKING, HEAVY, LARGE, generic_plan_of, load, plan_of
from tests.test_architecture import single_statements
from tests.tree import STATEMENTS

PAGE = 100
DEPTH = 10_000

# Parameters mean the same wherever they stand; a new name needs a value here.
NOW = datetime.now(UTC)
VALUES = {
    "user_id": HEAVY,
    "booking_id": BOOKING,
    "organization_id": 1,
    "schedule_id": 1,
    "uid": "no such link",
    "event_type_id": 1,
    "event_type_uid": "link 1",
    "except_appointment_id": None,
    "hold_uid": None,
    "manage_token_hash": sha256(b"80").digest(),
    "owner_id": HEAVY,
    "caller_id": 7,
    "user_ids": [HEAVY],
    "starts": NOW,
    "ends": NOW + timedelta(days=31),
    "issued_at": 0,
    "token_id": "token",
    "email": "person7@example.com",
    "event_type": None,
    "status": None,
    "overlaps_from": None,
    "overlaps_to": None,
    "after_id": None,
    "after_start_time": None,
    "after_created_at": None,
    "after_joined_at": None,
    "after_is_read": None,
    "limit": PAGE,
    "days": 30,
    "ahead": 2,
    "key": "key 7",
    "address": "guest7@example.com",
    "path": "/event-types/link",
    "hold_hash": sha256(b"80").digest(),
    "kinds": ["BOOKING_CONFIRMATION", "WELCOME"],
    "overdue_seconds": 2,
    "rate_slots": 30,
    "reserved_slots": 5,
}
VARIANTS = {
    "select_bookings": [
        {"status": "cancelled"},
        {"overlaps_from": NOW, "overlaps_to": NOW + timedelta(days=7)},
        {"overlaps_from": NOW},
        {"overlaps_to": NOW},
    ],
    "select_events": [{"event_type": "event_0"}, {"event_type": "event_19"}, {"event_type": "unknown"}],
    "select_taken": [
        {"except_appointment_id": 7},
        {"event_type_uid": None},
        {"user_ids": list(range(7, 17)), "ends": NOW + timedelta(days=62)},
    ],
    "select_people": [{"user_ids": [7]}, {"organization_id": None, "user_ids": [7, 8]}],
    "select_appointment": [{"uid": "meeting 80"}],
    "select_booking": [{"booking_id": 80}],
    "select_locked_event_type": [{"hold_uid": "hold 1"}, {"user_ids": None, "ends": None}],
    "select_event_statistics": [{"days": 1}, {"days": 366}],
}
EXEMPT = {
    "select_outbox": "an operator asks it, now and then",
    "select_outcomes": "the table has a row for each of a few outcomes",
    "select_unknown_kinds": "a worker asks it once a minute, and it counts what waits",
    "select_schema_version": "the table has a row for each migration",
}
# Pages that a statement may look at. A page of a list may find each of its rows on a page of its own.
# What is taken of people's time is as much as they have: eighteen bookings a day for 37 days, each on its own page.
# Of an entry that a guest has booked the appointment, the guest and the hosts are read besides, each by its index.
MOST = {
    "select_event_statistics": 3000,
    "select_taken": 37 * 18 + 60,
    "select_locked_event_type": 37 * 18 + 140,
    "select_bookings": 12 * PAGE + 8 * PAGE,
}
MOST_FOR_A_LIST = 12 * PAGE
MOST_FOR_A_ROW = 40

CHECKED = {
    f"{area}.{name}": (name, text)
    for area, name, text in STATEMENTS
    if re.match(r"(select|count)_", name) and name not in EXEMPT
}
LISTS = {name: statement for name, statement in CHECKED.items() if "%(after_id)s" in statement[1]}
CASES = [
    pytest.param(name, text, variant, id=f"{full}-{number}")
    for full, (name, text) in CHECKED.items()
    for number, variant in enumerate([{}, *VARIANTS.get(name, [])])
]


@pytest.fixture(scope="module", params=["newest", "oldest"])
def server(request):
    """Offer PostgreSQL as the tests bring it (None), and the oldest version that is supported."""
    if request.param == "newest":
        yield None
        return
    with oldest_server() as url:
        yield url


@pytest.fixture(scope="module")
def loaded(environment, server):
    """Offer a database in which a million rows are everywhere, added up."""
    with empty_database(server) as url, connected(url) as connection:
        ask(connection, "SET TimeZone = 'UTC'; SET synchronous_commit = off; SET jit = off")
        create_ledger(connection)
        for migration in load_migrations():
            apply_migration(connection, migration)
        load(connection)
        ask(connection, "VACUUM ANALYZE")
        database = Database(url, size=1, session=Session("rollup", answer_within=121, statement_timeout=120))
        # Four large batches, and the same tables as after a hundred small ones.
        Rollup(database, 0, batch=250_000).catch_up()
        database.close()
        ask(
            connection,
            "INSERT INTO analytics_events (user_id, event_type) SELECT n, 'event_1' FROM generate_series(1, 100) AS n",
        )
        ask(connection, "VACUUM ANALYZE")
        yield connection


def parameters_of(text, **given):
    return {name: (VALUES | given)[name] for name in re.findall(r"%\((\w+)\)s", text)}


def most(name, text):
    return MOST.get(name, MOST_FOR_A_LIST if "%(limit)s" in text else MOST_FOR_A_ROW)


def test_every_exemption_is_of_a_statement():
    assert EXEMPT.keys() | VARIANTS.keys() | MOST.keys() <= {name for _, name, _ in STATEMENTS}


@pytest.mark.parametrize("explain", [plan_of, generic_plan_of])
@pytest.mark.parametrize(("name", "text", "variant"), CASES)
def test_statement_reads_no_more_than_it_has_to(loaded, name, text, variant, explain):
    plan = explain(loaded, single_statements(text)[-1], parameters_of(text, **variant))
    assert not plan.read_whole & LARGE
    assert plan.buffers <= most(name, text), plan.buffers


@pytest.mark.parametrize(("name", "text"), LISTS.values(), ids=LISTS)
def test_page_at_any_depth_costs_what_the_first_costs(loaded, name, text):
    rows = ask_named(loaded, text, limit=DEPTH)
    columns = [column.removeprefix("after_") for column in VALUES if f"%({column})s" in text and "after_" in column]
    last = rows[-1] | {"id": rows[-1].get("membership_id") or rows[-1].get("id")}
    deep = {f"after_{column}": last[column] for column in columns}
    first = plan_of(loaded, text, parameters_of(text))
    for explain in (plan_of, generic_plan_of):
        plan = explain(loaded, text, parameters_of(text, **deep))
        assert not plan.read_whole & LARGE
        assert plan.buffers <= 2 * first.buffers + 20, (plan.buffers, first.buffers)


def ask_named(connection, text, **given):
    with connection.cursor() as cursor:
        cursor.execute(text, parameters_of(text, **given))
        return cursor.fetchall()


def test_unread_badge_is_counted_in_the_index_of_what_is_unread(loaded):
    text = queries.notifications.count_unread_notifications.sql
    for explain in (plan_of, generic_plan_of):
        assert explain(loaded, text, {"user_id": HEAVY}).indexes == {"notifications_user_id_unread_idx"}


# Eighteen bookings that begin in the day before, each on its own page.
MOST_FOR_A_DIARY = 18 + MOST_FOR_A_ROW
CONFLICTS = {
    "of a new entry": """
        SELECT conflicts, is_held FROM conflicts_in_diary(
            %(user_id)s, %(starts)s::timestamptz, %(starts)s::timestamptz + interval '1 hour', NULL, %(exclusive)s)
        """,
    "of an entry that is there": """
        SELECT conflicts, is_held FROM bookings AS target, conflicts_in_diary(
            target.user_id, target.start_time, target.end_time, target.id, %(exclusive)s)
        WHERE target.id = %(booking_id)s
        """,
}


@pytest.mark.parametrize("explain", [plan_of, generic_plan_of])
@pytest.mark.parametrize("exclusive", [True, False])
@pytest.mark.parametrize("text", CONFLICTS.values(), ids=CONFLICTS)
def test_function_that_finds_conflicts_is_inlined_and_asks_indexes(loaded, text, exclusive, explain):
    plan = explain(loaded, text, VALUES | {"exclusive": exclusive})
    assert not [node for node in plan.nodes() if node["Node Type"] == "Function Scan"]
    assert {"bookings_user_id_start_time_id_idx", "bookings_user_id_long_idx"} <= plan.indexes
    assert not plan.read_whole & LARGE
    assert plan.buffers <= MOST_FOR_A_DIARY, plan.buffers


def test_dashboard_is_exact_for_a_million_events(loaded):
    Events(loaded).check()


def test_events_of_a_person_are_found_by_an_index_when_the_person_is_removed(loaded):
    text = "SELECT id FROM analytics_events WHERE user_id = %(user_id)s"
    assert not generic_plan_of(loaded, text, {"user_id": 7}).read_whole & LARGE
