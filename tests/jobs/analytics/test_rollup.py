"""The dashboard tells what the events add up to, however far the rollup is."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from jobs.analytics.rollup import Rollup
from sql.queries import analytics
from tests.databases import ask, connected

TYPES = ("click", "view", "purchase", "rare")
MICROSECOND = timedelta(microseconds=1)


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
