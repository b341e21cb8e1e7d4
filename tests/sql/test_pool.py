"""The pool waits its turn, forks safely, and keeps no connection whose borrower left something behind."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest
from psycopg2.errors import DivisionByZero

from sql.pool import PoolExhausted
from tests.forking import Child
from tests.sql.pools import fail, sessions, use, value
from tests.waiting import eventually

NOWHERE = "postgresql://nobody@127.0.0.1:9/nothing"


# Turns


def test_who_finds_none_free_is_refused_in_time(make_pool):
    pool = make_pool(size=1, wait_within=0.3)
    with pool.connection():
        started = time.monotonic()
        with pytest.raises(PoolExhausted):
            use(pool)
        assert 0.3 <= time.monotonic() - started < 1
    assert use(pool)


def test_who_waits_gets_the_first_that_is_given_back(make_pool):
    pool = make_pool(size=1, wait_within=10)
    with ThreadPoolExecutor(1) as threads:
        with pool.connection() as connection:
            pid = value(connection)
            waiting = threads.submit(use, pool)
        assert waiting.result() == pid


def test_connections_are_used_again(pool):
    assert use(pool) == use(pool) == use(pool)


def test_the_last_one_given_back_is_the_first_one_lent(pool):
    # The others rest, and what nobody needs grows old and is noticed.
    with pool.connection() as first:
        with pool.connection() as second:
            inner = value(second)
        outer = value(first)
    assert inner != outer
    assert use(pool) == outer


def test_nothing_is_opened_before_it_is_needed(pool, database):
    assert sessions(database, pool) == []
    use(pool)
    assert len(sessions(database, pool)) == 1


def test_there_are_never_more_connections_than_promised(make_pool, database):
    pool, seen, lent = make_pool(size=3, wait_within=20), [], threading.Semaphore(0)
    barrier = threading.Barrier(20)

    def work(_):
        barrier.wait(10)
        for _ in range(20):
            with pool.connection() as connection:
                value(connection, "SELECT 1")
                lent.release()

    with ThreadPoolExecutor(20) as threads:
        working = threads.map(work, range(20))
        while lent._value < 400:
            seen.append(len(sessions(database, pool)))
        list(working)
    assert max(seen) == 3
    assert len(set(sessions(database, pool))) == 3


def test_failing_to_connect_uses_up_no_turn(make_pool):
    pool = make_pool(size=1, dsn=NOWHERE, wait_within=0.1)
    for _ in range(3):
        with pytest.raises(psycopg2.OperationalError):
            use(pool)


def test_closed_pool_keeps_nothing_open(pool, database):
    with pool.connection(), pool.connection():
        assert len(sessions(database, pool)) == 2
    pool.close()
    eventually(lambda: not sessions(database, pool))


# Errors of the borrower


def test_connection_outlives_an_error_of_its_borrower(make_pool):
    pool = make_pool(size=1)
    with pytest.raises(DivisionByZero):
        fail(pool, "SELECT 1 / 0")
    assert use(pool) == fail.pid


def test_connection_in_an_unfinished_transaction_is_closed(make_pool, database):
    pool = make_pool(size=1)
    with pytest.raises(DivisionByZero):
        fail(pool, "BEGIN; SELECT 1", "SELECT 1 / 0")
    assert use(pool) != fail.pid
    eventually(lambda: len(sessions(database, pool)) == 1)


def test_connection_whose_borrower_forgot_to_commit_is_closed(make_pool, database):
    pool = make_pool(size=1)
    fail(pool, "BEGIN; SELECT 1")
    assert use(pool, "SELECT now() = statement_timestamp()")
    eventually(lambda: fail.pid not in sessions(database, pool))


# Forks


def test_forked_process_opens_connections_of_its_own(pool, database):
    pid = use(pool)
    child = Child(lambda: [use(pool), use(pool)]).result()
    assert child[0] == child[1] != pid
    # What belongs to the parent was neither used nor closed.
    assert use(pool) == pid


def test_forked_processes_never_read_answers_of_one_another(pool):
    use(pool)

    def ask_on(number):
        wrong = 0
        for question in range(500):
            expected = number * 1_000_000 + question
            wrong += use(pool, "SELECT %s::int FROM (SELECT pg_sleep(0)) AS pause", expected) != expected
        return wrong

    children = [Child(lambda number=number: ask_on(number)) for number in range(1, 4)]
    assert ask_on(0) == 0
    assert [child.result(within=60) for child in children] == [0, 0, 0]


def test_forked_process_has_all_its_turns_although_its_parent_uses_them(make_pool):
    pool = make_pool(size=1, wait_within=0.2)
    with pool.connection() as connection:
        assert Child(lambda: use(pool)).result() != value(connection)


def test_threads_of_a_forked_process_start_anew_once(make_pool, database):
    pool = make_pool(size=2, wait_within=10)
    use(pool)

    def crowd():
        barrier = threading.Barrier(8)

        def work(_):
            barrier.wait(10)
            return [use(pool) for _ in range(20)]

        with ThreadPoolExecutor(8) as threads:
            return len({pid for pids in threads.map(work, range(8)) for pid in pids})

    assert Child(crowd).result() <= 2
