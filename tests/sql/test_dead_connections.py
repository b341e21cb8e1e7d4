"""The pool never hands out a dead connection."""

import time

import psycopg2
import pytest

from tests.sql.pools import terminate, use, value


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
