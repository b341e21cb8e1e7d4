"""The rollup outlives the removal of people, copies of the database, restarts, and what is too old to matter."""

from datetime import timedelta

import psycopg2
import pytest

from sql.queries import analytics
from tests.waiting import eventually


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
    rollup.clean_up()
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
