"""No session waits for ever: not for a statement, a lock, a borrower or a silent server."""

import time
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest
from psycopg2.errors import LockNotAvailable, QueryCanceled

from sql.pool import NoAnswer, Session
from tests.sql.pools import fail, sessions, use, value
from tests.waiting import eventually


def test_settings_of_the_session_are_in_force(make_pool):
    pool = make_pool(statement_timeout=1.5, lock_timeout=0.75, idle_in_transaction_timeout=12.0)
    names = (
        "TimeZone",
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
        "application_name",
    )
    assert [use(pool, f"SELECT current_setting('{name}')") for name in names] == [
        "UTC",
        "1500ms",
        "750ms",
        "12s",
        pool.session.application_name,
    ]


def test_our_clock_leaves_the_servers_clock_time_to_speak():
    session = Session("any")
    assert session.lock_timeout < session.statement_timeout < session.answer_within


def test_statement_that_takes_too_long_is_ended_by_the_server(make_pool):
    pool = make_pool(size=1, statement_timeout=0.2)
    with pytest.raises(QueryCanceled):
        fail(pool, "SELECT pg_sleep(10)")
    assert use(pool) == fail.pid


def test_lock_that_is_not_free_in_time_is_given_up(make_pool, database):
    pool = make_pool(size=2, lock_timeout=0.2)
    with pool.connection() as connection:
        value(connection, "SELECT 1 FROM pg_advisory_lock(7)")
        with pytest.raises(LockNotAvailable):
            fail(pool, "SELECT 1 FROM pg_advisory_lock(7)")
        value(connection, "SELECT 1 FROM pg_advisory_unlock(7)")


def test_session_that_forgets_its_transaction_is_ended_by_the_server(make_pool, database):
    pool = make_pool(size=1, idle_in_transaction_timeout=0.2)
    with pool.connection() as connection:
        pid = value(connection)
        value(connection, "BEGIN; SELECT 1")
        eventually(lambda: pid not in sessions(database, pool))


def test_server_that_falls_silent_is_given_up_in_time(make_pool, postgres, frozen):
    pool = make_pool(size=1, dsn=postgres.url, answer_within=0.5)
    use(pool)
    frozen()
    started = time.monotonic()
    with pool.connection() as connection:
        with pytest.raises(NoAnswer):
            value(connection)
        assert 0.5 <= time.monotonic() - started < 1.5
        # A late answer would be taken for the one to the next question.
        assert connection.closed
    postgres.resume()
    assert use(pool, "SELECT 1") == 1


def test_silent_server_is_given_up_while_connecting(make_pool, postgres, frozen):
    pool = make_pool(size=1, dsn=postgres.url, connect_timeout=1)
    frozen()
    started = time.monotonic()
    with pytest.raises(psycopg2.OperationalError):
        use(pool)
    assert 0.5 <= time.monotonic() - started < 1.5
    postgres.resume()
    assert use(pool, "SELECT 1") == 1


def test_silence_holds_up_each_borrower_only_as_long_as_its_own_limit(make_pool, postgres, frozen):
    pool = make_pool(size=4, dsn=postgres.url, answer_within=0.5, connect_timeout=1)
    with ThreadPoolExecutor(4) as threads:
        assert len(list(threads.map(lambda _: use(pool), range(4)))) == 4
        frozen()
        started = time.monotonic()
        failures = [attempt.exception() for attempt in [threads.submit(use, pool) for _ in range(4)]]
    assert {type(failure) for failure in failures} == {NoAnswer}
    assert time.monotonic() - started < 1.5
