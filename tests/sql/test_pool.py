"""The pool waits its turn, forks safely, never waits for ever and never hands out a dead connection."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from uuid import uuid4

import psycopg2
import pytest
from psycopg2.errors import DivisionByZero, LockNotAvailable, QueryCanceled

from scripts.stack.servers import THROWAWAY, Postgres
from sql.pool import ConnectionPool, NoAnswer, PoolExhausted, Session
from tests.databases import ask
from tests.forking import Child
from tests.waiting import eventually

NOWHERE = "postgresql://nobody@127.0.0.1:9/nothing"


@pytest.fixture
def make_pool(database_url):
    """Make pools whose sessions bear a name of their own."""
    with ExitStack() as stack:

        def make(size=2, dsn=database_url, *, wait_within=2.0, look_after_idle=0.0, ask_after_idle=30.0, **session):
            limits = {"wait_within": wait_within, "look_after_idle": look_after_idle, "ask_after_idle": ask_after_idle}
            pool = ConnectionPool(dsn, size, Session(f"pool-{uuid4()}", **session), **limits)
            stack.callback(pool.close)
            return pool

        yield make


@pytest.fixture
def pool(make_pool):
    return make_pool()


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    """Offer a server that a test may freeze."""
    with Postgres(tmp_path_factory.mktemp("postgres"), settings=THROWAWAY) as postgres:
        yield postgres


@pytest.fixture
def frozen(postgres):
    """Freeze the server when a test says so, and let it go on afterwards."""
    yield postgres.pause
    postgres.resume()


def value(connection, statement="SELECT pg_backend_pid()", *parameters):
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchone()[0]


def use(pool, *question):
    with pool.connection() as connection:
        return value(connection, *question)


def terminate(database, *pids):
    """End sessions as a server does that is told to, and wait until they are gone."""
    ask(database, "SELECT pg_terminate_backend(pid) FROM unnest(%s) AS sessions (pid)", list(pids))
    eventually(lambda: not ask(database, "SELECT pid FROM pg_stat_activity WHERE pid = ANY(%s)", list(pids)))


def sessions(database, pool):
    name = pool.session.application_name
    return [row["pid"] for row in ask(database, "SELECT pid FROM pg_stat_activity WHERE application_name = %s", name)]


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


# Dead connections


def test_broken_connection_is_not_lent_again(pool):
    with pool.connection() as connection:
        pid = value(connection)
        connection.close()
    assert use(pool) != pid


def test_connection_that_the_server_ended_is_replaced_unseen(pool, database):
    pid = use(pool)
    terminate(database, pid)
    assert use(pool) != pid


def test_all_resting_connections_are_replaced_unseen(make_pool, database):
    pool = make_pool(size=3)
    with pool.connection() as one, pool.connection() as two, pool.connection() as three:
        pids = {value(one), value(two), value(three)}
    terminate(database, *pids)
    with pool.connection() as one, pool.connection() as two, pool.connection() as three:
        assert len({value(one), value(two), value(three)} | pids) == 6


def test_restarted_server_is_not_noticed(make_pool, postgres):
    pool = make_pool(dsn=postgres.url)
    use(pool)
    postgres.restart("immediate")
    assert use(pool, "SELECT 1") == 1


def test_connection_that_ends_while_it_is_lent_is_not_kept(pool, database):
    def be_interrupted():
        with pool.connection() as connection:
            pid = value(connection)
            terminate(database, pid)
            value(connection)

    with pytest.raises(psycopg2.OperationalError):
        be_interrupted()
    assert use(pool, "SELECT 1") == 1


def test_connection_that_rested_long_is_asked_and_kept(make_pool):
    pool = make_pool(ask_after_idle=0, answer_within=3.0)
    pid = use(pool)
    with pool.connection() as connection:
        assert value(connection) == pid
        assert connection.answer_within == 3


def test_connection_that_rested_long_and_is_silent_is_given_up_soon(make_pool, postgres, frozen):
    pool = make_pool(dsn=postgres.url, ask_after_idle=0, connect_timeout=1, answer_within=30.0)
    use(pool)
    frozen()
    started = time.monotonic()
    # A second for the question, and then a new connection is not to be had either.
    with pytest.raises(psycopg2.OperationalError):
        use(pool)
    assert time.monotonic() - started < 3


# Errors of the borrower


def fail(pool, *statements):
    with pool.connection() as connection:
        fail.pid = value(connection)
        for statement in statements:
            value(connection, statement)


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


# Limits


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
