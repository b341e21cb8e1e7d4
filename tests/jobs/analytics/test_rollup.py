"""The dashboard tells what the events add up to, however far the rollup is."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest

from jobs.analytics.rollup import Rollup
from sql.database import Database
from sql.pool import Session
from sql.queries import analytics
from tests.databases import ask, connected, migrated_database
from tests.jobs.analytics.events import Events
from tests.waiting import eventually

TYPES = ("click", "view", "purchase", "rare")
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture(scope="session")
def database_url(lone_server):
    """Offer a database on a server where no transaction is open but those of the test."""
    with migrated_database(lone_server) as url:
        yield url


@pytest.fixture(scope="session")
def connection(database_url):
    """Open a connection to it."""
    with connected(database_url) as connection:
        yield connection


@pytest.fixture
def events(database):
    """Offer the events."""
    return Events(database)


@pytest.fixture
def make_rollup(database, database_url):
    """Make rollups, each with a connection of its own."""
    with ExitStack() as stack:

        def make(batch=100):
            rollup = Rollup(Database(database_url, size=1, session=Session("rollup")), 0, batch)
            stack.callback(rollup.database.close)
            return rollup

        yield make


@pytest.fixture
def rollup(make_rollup):
    """Offer the rollup of one worker."""
    return make_rollup()


@pytest.fixture
def open_transaction(database_url):
    """Open transactions that stay open until the test ends them."""
    with ExitStack() as stack:

        def make():
            connection = stack.enter_context(connected(database_url))
            connection.autocommit = False
            return connection

        yield make


def some_time(chance):
    """Choose an age: mostly about the edges of periods and buckets, now and then in the future."""
    days = chance.choice((0, 0, 1, 1, 2, 29, 30, 31, 300, 365, 366, 367, 400))
    return timedelta(days=days, seconds=chance.choice((0, 0, 300, 3600, 86400)) * chance.uniform(-1, 1))


@pytest.mark.parametrize("seed", range(6))
def test_dashboard_is_what_the_events_add_up_to(events, make_rollup, open_transaction, seed):
    chance = random.Random(seed)
    people = [events.person(number) for number in range(6)]
    rollups = [make_rollup(batch) for batch in (1, 7)]
    transactions = [open_transaction() for _ in range(3)]
    held = {transaction: set() for transaction in transactions}

    def log(within=None):
        user_id = chance.choice([*people, None])
        if within is not None:
            held[within].add(user_id)
        events.log(user_id, chance.choice(TYPES), some_time(chance), within)

    def end():
        transaction = chance.choice(transactions)
        chance.choice((transaction.commit, transaction.commit, transaction.rollback))()
        held[transaction].clear()

    def remove():
        free = [person for person in people if not any(person in holds for holds in held.values())]
        if free and len(people) > 1:
            people.remove(free[0])
            events.ask("DELETE FROM users WHERE id = %s", (free[0],))

    def roll():
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(Rollup.add_up, rollups))

    for step in range(300):
        (action,) = chance.choices(
            (log, lambda: log(chance.choice(transactions)), end, roll, rollups[1].catch_up, remove),
            (10, 6, 3, 6, 1, 0.2),
        )
        action()
        if step % 10 == 0:
            events.check(datetime.now(UTC) + some_time(chance))
    for transaction in transactions:
        transaction.commit()
    rollups[1].catch_up()
    assert events.waiting() == 0
    events.check(*(datetime.now(UTC) + some_time(chance) for _ in range(20)))


def test_event_on_each_edge_of_a_period_is_counted_on_its_side(events, rollup):
    user_id = events.person(1)
    # A period that begins within the last five minutes of an hour, one at midnight, one in the middle of it all.
    instants = [
        datetime.now(UTC).replace(hour=hour, minute=minute, second=second, microsecond=microsecond)
        for hour, minute, second, microsecond in ((10, 58, 20, 7), (0, 0, 0, 0), (23, 55, 0, 0), (13, 31, 12, 999_999))
    ]
    for instant in instants:
        since = instant - timedelta(days=30)
        for edge in (
            since,
            since.replace(minute=since.minute // 5 * 5, second=0, microsecond=0) + timedelta(minutes=5),
            since.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1),
            since.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1),
        ):
            for created_at in (edge - MICROSECOND, edge, edge + MICROSECOND):
                events.ask(
                    "INSERT INTO analytics_events (user_id, event_type, created_at) VALUES (%s, %s, %s)",
                    (user_id, str(created_at), created_at),
                )
    events.check(*instants)
    rollup.catch_up()
    events.check(*instants, *(instant + MICROSECOND for instant in instants))


def test_event_of_a_transaction_that_commits_late_is_counted_once(events, rollup, open_transaction):
    late = open_transaction()
    events.log(event_type="late", within=late)
    events.log(event_type="early")
    rollup.catch_up()
    # Numbers of transactions are given out in order: what is behind the one that is still running has to wait.
    assert events.waiting() == 1
    events.check()
    late.commit()
    events.check()
    rollup.catch_up()
    assert events.waiting() == 0
    events.check()
    (total, *_) = events.dashboard()
    assert total["count"] == 2


@pytest.mark.parametrize("where", ["in the same database", "elsewhere on the server"])
def test_open_transaction_of_others_holds_up_only_what_came_after_it(events, rollup, lone_server, database_url, where):
    events.log(event_type="before")
    with connected(database_url if "same" in where else lone_server) as other:
        ask(other, "BEGIN")
        ask(other, "SELECT pg_current_xact_id()")
        events.log(event_type="after")
        for _ in range(3):
            rollup.catch_up()
            assert events.waiting() == 1
            events.check()
        ask(other, "ROLLBACK")
    rollup.catch_up()
    assert events.waiting() == 0
    events.check()


def test_many_rollups_at_once_count_each_event_once(events, make_rollup):
    for number in range(60):
        events.log(event_type=f"type {number % 3}")
    rollups = [make_rollup(batch=5) for _ in range(4)]
    barrier = threading.Barrier(len(rollups))

    def work(rollup):
        barrier.wait(10)
        while events_left(rollup):
            rollup.add_up()

    def events_left(rollup):
        with rollup.database.reading() as tx, tx.execute(LEFT, {}) as cursor:
            return cursor.fetchone()[0]

    with ThreadPoolExecutor(len(rollups)) as threads:
        list(threads.map(work, rollups))
    assert events.ask("SELECT sum(count)::int FROM analytics_counts WHERE width = 86400") == [{"sum": 120}]
    events.check()


LEFT = """
SELECT EXISTS (SELECT FROM analytics_events AS event, analytics_rollup AS mark
               WHERE (event.recorded_by, event.id) > (mark.recorded_by, mark.event_id))
"""


def test_rollup_does_not_wait_for_another(events, make_rollup):
    events.log()
    with make_rollup().database.transaction() as tx:
        assert analytics.try_analytics_lock(tx)
        assert make_rollup().add_up() == 0
    assert events.waiting() == 1


def test_batch_may_end_within_a_transaction(events, make_rollup):
    events.ask("INSERT INTO analytics_events (event_type) SELECT 'bulk' FROM generate_series(1, 25)")
    rollup = make_rollup(batch=10)
    assert [rollup.add_up() for _ in range(4)] == [10, 10, 5, 0]
    events.check()


def test_rollup_that_is_broken_off_has_done_nothing(events, rollup):
    events.log()
    before = events.ask("SELECT recorded_by::text, event_id FROM analytics_rollup")
    with rollup.database.transaction() as tx:
        analytics.try_analytics_lock(tx)
        assert analytics.roll_up_events(tx, limit=10) == 1
        tx.rollback()
    assert events.ask("SELECT recorded_by::text, event_id FROM analytics_rollup") == before
    events.check()


def test_who_is_removed_while_events_wait_is_nobody_in_all_of_them(events, rollup):
    alice, bob = events.person(1), events.person(2)
    for user_id in (alice, bob):
        events.log(user_id)
        events.log(user_id, ago=timedelta(days=29))
    rollup.catch_up()
    events.log(alice, "view")
    events.ask("DELETE FROM users WHERE id = %s", (alice,))
    events.check()
    assert [row["unique_users"] for row in events.dashboard()] == [1, 1, 0]
    rollup.catch_up()
    events.check()


def test_nobody_is_removed_while_events_are_added_up(events, rollup, database):
    alice = events.person(1)
    with rollup.database.transaction() as tx:
        assert analytics.try_analytics_lock(tx)
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            events.ask("SET lock_timeout = '50ms'; DELETE FROM users WHERE id = %s", (alice,))
    events.ask("RESET lock_timeout")


@pytest.mark.parametrize("distance", [1_000_000_000, 50])
def test_copy_on_another_server_is_added_up_anew(events, rollup, distance):
    # As pg_restore leaves it: the rows are there, and their transactions have numbers of the other server.
    alice = events.person(1)
    events.log(alice, "before")
    events.log(None, "before", timedelta(days=40))
    rollup.catch_up()
    events.log(alice, "tail")
    events.ask(
        "UPDATE analytics_events SET recorded_by = (recorded_by::text::bigint + %(distance)s)::text::xid8;"
        "UPDATE analytics_rollup SET recorded_by = (recorded_by::text::bigint + %(distance)s)::text::xid8",
        {"distance": distance},
    )
    events.log(alice, "after")
    events.check()
    rollup.catch_up()
    events.check()
    events.log(alice, "after")
    eventually(lambda: rollup.catch_up() or events.waiting() == 0)
    events.check()
    (total, *_) = events.dashboard(366)
    assert (total["count"], total["unique_users"]) == (5, 1)


def test_rollup_begins_anew_when_it_is_told_to(events, rollup):
    events.log()
    rollup.catch_up()
    events.ask("UPDATE analytics_events SET event_type = 'view'; UPDATE analytics_rollup SET written_by = '0'")
    events.check()
    rollup.catch_up()
    events.check()


def test_counts_that_no_period_reaches_back_to_are_forgotten(events, rollup):
    alice = events.person(1)
    events.log(alice, "old", timedelta(days=400))
    events.log(alice, "new", timedelta(days=366))
    rollup.catch_up()
    rollup.tidy()
    assert events.ask("SELECT DISTINCT event_type FROM analytics_counts ORDER BY 1") == [
        {"event_type": ""},
        {"event_type": "new"},
    ]
    # Who comes back after so long is taken out of a bucket that is no longer there.
    events.log(alice, "old")
    rollup.catch_up()
    events.check()


def test_rollup_adds_up_by_itself_until_it_is_stopped(events, rollup):
    rollup.start()
    events.log()
    eventually(lambda: events.waiting() == 0)
    rollup.stop(within=5)
    events.log()
    assert events.waiting() == 1
    events.check()


def test_rollup_outlives_postgresql(make_rollup, events):
    rollup = make_rollup()
    rollup.start()
    events.ask(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'rollup' AND datname = current_database()"
    )
    events.log()
    eventually(lambda: events.waiting() == 0)
    rollup.stop(within=5)
