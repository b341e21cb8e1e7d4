"""Prepared statements: every statement of ours can be one, and whoever uses it does not notice."""

import pytest
from psycopg2.errors import DivisionByZero

from sql.database import Database, Guard
from sql.pool import Session
from sql.prepared import PreparedStatements, _numbered_parts
from tests.databases import ask
from tests.tree import STATEMENTS

TEXTS = sorted({text for _, _, text in STATEMENTS})


@pytest.fixture
def db(database_url):
    db = Database(database_url, size=1, session=Session("prepared"))
    yield db
    db.close()


def value(tx, statement, **parameters):
    return tx.execute(statement, parameters).fetchone()[0]


def names(tx):
    return [row[0] for row in tx.execute("SELECT statement FROM pg_prepared_statements", {}).fetchall()]


@pytest.mark.parametrize("absent", [False, True], ids=["all given", "all absent"])
@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_every_statement_can_be_prepared(db, text, absent):
    parameters = frozenset(name for _, names in _numbered_parts(text, frozenset()) for name in names)
    with db.reading() as tx:
        prepared = PreparedStatements()
        rendered = prepared._prepare(tx.connection.cursor(), text, parameters if absent else frozenset())
        assert "EXECUTE" in rendered or rendered.lstrip().startswith("TRUNCATE")


def test_statement_is_prepared_when_it_comes_often(db):
    for number in range(8):
        with db.reading() as tx:
            assert value(tx, "SELECT %(number)s + 1", number=number) == number + 1
            assert (len(names(tx)) > 0) == (number > 4)


def test_each_set_of_absent_parameters_has_a_plan_of_its_own(db):
    statement = "SELECT coalesce(%(first)s::int, %(second)s::int, 0)"
    for _ in range(7):
        for first, second in ((1, 2), (None, 2), (1, None), (None, None)):
            with db.reading() as tx:
                assert value(tx, statement, first=first, second=second) == (first or second or 0)
    with db.reading() as tx:
        assert len([name for name in names(tx) if "coalesce" in name]) == 4


def test_percent_signs_and_repeated_parameters_mean_the_same(db):
    statement = "SELECT %(text)s::text LIKE 'a%%' AND %(text)s::text <> 'ab'"
    for _ in range(8):
        with db.reading() as tx:
            assert value(tx, statement, text="abc") is True
            assert value(tx, statement, text="ab") is False


def test_statement_that_fails_can_still_be_prepared(db):
    for number in range(12):
        with pytest.raises(DivisionByZero), db.transaction() as tx:
            value(tx, "SELECT 1 / %(number)s::int", number=0)
        with db.transaction() as tx:
            assert value(tx, "SELECT 1 / %(number)s::int", number=1) == 1, number


def test_migration_under_a_prepared_statement_is_not_noticed(db, database):
    ask(database, "CREATE TABLE changing (id int)")
    ask(database, "INSERT INTO changing VALUES (7)")
    try:
        for _ in range(8):
            with db.reading() as tx:
                assert value(tx, "SELECT id FROM changing WHERE id IS NOT NULL AND %(yes)s", yes=True) == 7
        ask(database, "ALTER TABLE changing ALTER id TYPE text")
        with pytest.raises(Exception, match="migration"), db.reading() as tx:
            value(tx, "SELECT id FROM changing WHERE id IS NOT NULL AND %(yes)s", yes=True)
        with db.reading() as tx:
            assert value(tx, "SELECT id FROM changing", yes=True) == "7"
    finally:
        ask(database, "DROP TABLE changing")


def test_nothing_is_prepared_behind_a_pooler(database_url):
    db = Database(database_url, size=1, session=Session("pooled", prepares=False))
    for number in range(9):
        with db.reading() as tx:
            assert value(tx, "SELECT %(number)s", number=number) == number
    with db.reading() as tx:
        assert names(tx) == []
    db.close()


# Guards


PASSES, FAILS = Guard("SELECT 1", {}), Guard("SELECT 1 / %(number)s", {"number": 0})


@pytest.mark.parametrize("scope", ["transaction", "statement", "reading"])
def test_nothing_is_done_where_the_guard_raises(db, database, scope):
    ask(database, "CREATE TABLE guarded (id int)")
    try:
        for _ in range(9):
            with pytest.raises(DivisionByZero), getattr(db, scope)(FAILS) as tx:
                value(tx, "INSERT INTO guarded VALUES (1) RETURNING id")
        assert ask(database, "SELECT id FROM guarded") == []
    finally:
        ask(database, "DROP TABLE guarded")


def test_guard_is_asked_once(db):
    guard = Guard("SELECT set_config('test.asked', current_setting('test.asked', true) || 'x', false)", {})
    with db.reading() as tx:
        tx.execute("SELECT set_config('test.asked', '', false)", {})
    with db.reading(guard) as tx:
        value(tx, "SELECT 1")
        value(tx, "SELECT 1")
        tx.confirm()
    with db.reading(guard) as tx:
        assert value(tx, "SELECT current_setting('test.asked')") == "x"
    assert guard.passed


def test_guard_can_be_asked_alone(db):
    with pytest.raises(DivisionByZero), db.reading(FAILS) as tx:
        tx.confirm()
