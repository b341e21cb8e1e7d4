"""Transactions: all or nothing, and the truth about what is known when a connection breaks."""

import time

import psycopg2
import pytest
from psycopg2.errors import DivisionByZero, UniqueViolation

from scripts.stack.servers import THROWAWAY, Postgres
from sql.database import ConnectionLost, Database
from sql.pool import NoAnswer, Session
from tests.databases import ask
from tests.waiting import eventually


@pytest.fixture
def entries(database):
    """Offer a table to write into."""
    ask(database, "CREATE TABLE entries (id int CONSTRAINT entries_id_key UNIQUE)")
    yield lambda: [row["id"] for row in ask(database, "SELECT id FROM entries ORDER BY id")]
    ask(database, "DROP TABLE entries")


@pytest.fixture
def db(database_url):
    db = Database(database_url, size=1, session=Session("database"))
    yield db
    db.close()


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    """Offer a server that a test may freeze."""
    with Postgres(tmp_path_factory.mktemp("postgres"), settings=THROWAWAY) as postgres:
        yield postgres


def write(tx, *numbers):
    for number in numbers:
        tx.execute("INSERT INTO entries VALUES (%(id)s)", {"id": number})


def pid(tx):
    return tx.execute("SELECT pg_backend_pid()", {}).fetchone()[0]


def end_session(database, tx):
    """End the session of a transaction from outside."""
    victim = tx.connection.info.backend_pid
    ask(database, "SELECT pg_terminate_backend(%s)", victim)
    eventually(lambda: not ask(database, "SELECT pid FROM pg_stat_activity WHERE pid = %s", victim))


def run(scope, *steps):
    with scope() as tx:
        for step in steps:
            step(tx)


# All or nothing


def test_what_a_transaction_wrote_is_seen_all_at_once(db, entries):
    with db.transaction() as tx:
        write(tx, 1, 2)
        assert entries() == []
    assert entries() == [1, 2]


@pytest.mark.parametrize("before", [(), (1,), (1, 2)])
def test_transaction_that_fails_leaves_nothing(db, entries, before):
    with pytest.raises(DivisionByZero):
        run(db.transaction, lambda tx: write(tx, *before), lambda tx: tx.execute("SELECT 1 / 0", {}))
    assert entries() == []


def test_transaction_whose_caller_fails_leaves_nothing(db, entries):
    def fail(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(db.transaction, lambda tx: write(tx, 1), fail)
    assert entries() == []


def test_error_that_is_caught_inside_does_not_pass_for_success(db, entries):
    def fail_quietly(tx):
        with pytest.raises(DivisionByZero):
            tx.execute("SELECT 1 / 0", {})

    # PostgreSQL answers ROLLBACK to the COMMIT of such a transaction, and calls it no error.
    with pytest.raises(psycopg2.InternalError):
        run(db.transaction, lambda tx: write(tx, 1), fail_quietly)
    assert entries() == []


def test_statements_outside_a_transaction_stand_for_themselves(db, entries):
    with pytest.raises(DivisionByZero):
        run(db.statement, lambda tx: write(tx, 1), lambda tx: tx.execute("SELECT 1 / 0", {}))
    assert entries() == [1]


def test_parts_of_one_statement_take_effect_together(db, entries):
    with pytest.raises(UniqueViolation):
        run(db.statement, lambda tx: tx.execute("INSERT INTO entries VALUES (1); INSERT INTO entries VALUES (1)", {}))
    assert entries() == []


def test_transaction_that_asks_nothing_costs_nothing(db):
    with db.transaction() as tx:
        pass
    assert tx.connection.info.transaction_status == psycopg2.extensions.TRANSACTION_STATUS_IDLE


@pytest.mark.parametrize("statement", ["SELECT 1 / 0", "SELECT FROM nowhere", "SELEKT"])
def test_rollback_leaves_a_clean_connection(db, entries, statement):
    with db.statement() as tx:
        before = pid(tx)
    with pytest.raises(psycopg2.Error):
        run(db.transaction, lambda tx: tx.execute(statement, {}))
    with pytest.raises(psycopg2.Error):
        run(db.transaction, lambda tx: write(tx, 1), lambda tx: tx.execute(statement, {}))
    with db.transaction() as tx:
        assert pid(tx) == before
        write(tx, 2)
    assert entries() == [2]


# After the commit


def test_what_waits_for_the_commit_happens_after_it_and_in_order(db, entries):
    heard = []
    with db.transaction() as tx:
        for name in ("first", "second"):
            tx.after_commit(lambda name=name: heard.append((name, entries())))
        write(tx, 1)
        assert heard == []
    assert heard == [("first", [1]), ("second", [1])]


def test_what_waits_for_the_commit_happens_after_a_single_statement_too(db, entries):
    heard = []
    with db.statement() as tx:
        write(tx, 1)
        tx.after_commit(lambda: heard.append(entries()))
        assert heard == []
    assert heard == [[1]]


def test_what_waits_for_the_commit_holds_no_connection(db):
    def use_the_only_connection():
        run(db.statement, pid)

    db.pool.wait_within = 0.1
    with db.transaction() as tx:
        pid(tx)
        tx.after_commit(use_the_only_connection)


def test_nothing_happens_after_a_rollback(db, entries):
    heard = []
    with pytest.raises(DivisionByZero):
        run(
            db.transaction,
            lambda tx: write(tx, 1),
            lambda tx: tx.after_commit(lambda: heard.append("rung")),
            lambda tx: tx.execute("SELECT 1 / 0", {}),
        )
    assert heard == []


def test_nothing_happens_after_a_commit_that_failed(db, entries, database):
    heard = []
    ask(database, "ALTER TABLE entries ADD CONSTRAINT entries_deferred UNIQUE (id) DEFERRABLE INITIALLY DEFERRED")
    ask(database, "ALTER TABLE entries DROP CONSTRAINT entries_id_key")
    with pytest.raises(UniqueViolation):
        run(
            db.transaction,
            lambda tx: write(tx, 1, 1),
            lambda tx: tx.after_commit(lambda: heard.append("rung")),
        )
    assert (heard, entries()) == ([], [])
    run(db.transaction, lambda tx: write(tx, 1))
    assert entries() == [1]


# Broken connections


def test_connection_that_breaks_before_the_commit_is_lost_and_nothing_was_done(db, entries, database):
    heard = []
    with pytest.raises(ConnectionLost):
        run(
            db.transaction,
            lambda tx: write(tx, 1),
            lambda tx: tx.after_commit(lambda: heard.append("rung")),
            lambda tx: end_session(database, tx),
            lambda tx: write(tx, 2),
        )
    assert (heard, entries()) == ([], [])
    run(db.transaction, lambda tx: write(tx, 3))
    assert entries() == [3]


def test_connection_that_breaks_before_the_first_statement_is_lost(db, entries, database):
    with pytest.raises(ConnectionLost):
        run(db.transaction, lambda tx: end_session(database, tx), lambda tx: write(tx, 1))


def test_connection_that_breaks_while_reading_is_lost(db, database):
    with pytest.raises(ConnectionLost):
        run(db.reading, pid, lambda tx: end_session(database, tx), pid)


def test_outcome_of_a_commit_that_broke_is_not_claimed_to_be_known(db, entries, database):
    with pytest.raises(psycopg2.OperationalError) as caught:
        run(db.transaction, lambda tx: write(tx, 1), lambda tx: end_session(database, tx))
    assert not isinstance(caught.value, ConnectionLost)


def test_outcome_of_a_single_statement_that_broke_is_not_claimed_to_be_known(db, entries, database):
    with pytest.raises(psycopg2.OperationalError) as caught:
        run(db.statement, lambda tx: write(tx, 1), lambda tx: end_session(database, tx), lambda tx: write(tx, 2))
    assert not isinstance(caught.value, ConnectionLost)
    assert entries() == [1]


@pytest.mark.parametrize("scope", ["transaction", "statement", "reading"])
def test_silence_is_waited_for_once_and_not_taken_for_a_broken_connection(postgres, scope):
    db = Database(postgres.url, size=1, session=Session("database", answer_within=1.0))
    run(db.statement, pid)
    postgres.pause()
    try:
        started = time.monotonic()
        with pytest.raises(NoAnswer):
            run(getattr(db, scope), pid)
        assert 1 <= time.monotonic() - started < 1.9
    finally:
        postgres.resume()
    run(db.transaction, pid)
    db.close()


def test_fault_of_the_statement_is_not_taken_for_a_broken_connection(db, entries):
    with pytest.raises(UniqueViolation):
        run(db.transaction, lambda tx: write(tx, 1, 1))


def test_database_that_is_away_is_not_taken_for_a_lost_connection():
    db = Database("postgresql://nobody@127.0.0.1:9/nothing", size=1, session=Session("database"))
    with pytest.raises(psycopg2.OperationalError) as caught:
        run(db.transaction, pid)
    assert not isinstance(caught.value, ConnectionLost)
