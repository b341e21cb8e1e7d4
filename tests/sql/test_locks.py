"""The functions that lock: each takes the lock that docs/database.md says, and nobody else names one."""

import re
from pathlib import Path
from threading import Thread

import psycopg2
import pytest

from sql.migrator import _LOCK
from tests.databases import ask, connected
from tests.test_architecture import STATEMENTS
from tests.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs/database.md").read_text()
LARGEST = 2**63 - 1

TAKEN = {
    "lock_diary(7)": [(1, 7, "ExclusiveLock")],
    "share_diary(7)": [(1, 7, "ShareLock")],
    f"lock_diary({2**31 + 6})": [(1, 7, "ExclusiveLock")],
    f"lock_diary({LARGEST})": [(1, LARGEST % (2**31 - 1), "ExclusiveLock")],
    "lock_diaries('{9, 7, 9, 8}')": [(1, 7, "ExclusiveLock"), (1, 8, "ExclusiveLock"), (1, 9, "ExclusiveLock")],
    "lock_diaries('{}')": [],
    "lock_schedules(7)": [(2, 7, "ExclusiveLock")],
}
HELD = """
SELECT classid::bigint AS space, objid::bigint AS key, mode FROM pg_locks
WHERE locktype = 'advisory' AND pid = pg_backend_pid() ORDER BY key
"""


@pytest.fixture
def session(database, database_url):
    """Offer a transaction of its own."""
    with connected(database_url) as connection:
        connection.autocommit = False
        yield connection
        connection.rollback()


@pytest.mark.parametrize(("call", "locks"), TAKEN.items())
def test_function_takes_its_lock(session, call, locks):
    ask(session, f"SELECT {call}")
    assert [(row["space"], row["key"], row["mode"]) for row in ask(session, HELD)] == locks


def test_several_diaries_are_locked_in_the_order_of_their_keys(session, database, database_url):
    (waiting,) = ask(session, "SELECT pg_backend_pid() AS pid")
    with connected(database_url) as other:
        ask(other, "BEGIN; SELECT lock_diary(8)")
        thread = Thread(target=ask, args=(session, "SELECT lock_diaries('{9, 8, 7}')"))
        thread.start()
        eventually(lambda: locks_of(database, waiting["pid"]) == {7: True, 8: False})
        ask(other, "ROLLBACK")
        thread.join()
    assert locks_of(database, waiting["pid"]) == {7: True, 8: True, 9: True}


def locks_of(database, pid):
    """Return for each key whether a session has its lock already."""
    statement = "SELECT objid::bigint AS key, granted FROM pg_locks WHERE locktype = 'advisory' AND pid = %s"
    return {row["key"]: row["granted"] for row in ask(database, statement, pid)}


@pytest.mark.parametrize(
    "call",
    [
        "try_lock_idempotency_key(7, 'key')",
        "try_lock_guest_idempotency_key('guest@example.com', '/event-types/uid/bookings', 'key')",
        "try_lock_analytics()",
    ],
)
def test_lock_that_is_tried_is_refused_while_somebody_else_has_it(session, database_url, call):
    with connected(database_url) as other:
        assert ask(session, f"SELECT {call} AS is_locked") == [{"is_locked": True}]
        assert ask(other, f"SELECT {call} AS is_locked") == [{"is_locked": False}]
        session.rollback()
        assert ask(other, f"SELECT {call} AS is_locked") == [{"is_locked": True}]


def test_address_of_holds_is_locked_for_one(session, database_url):
    ask(session, "SELECT lock_holds_of('192.0.2.1')")
    with connected(database_url) as other, pytest.raises(psycopg2.errors.LockNotAvailable):
        ask(other, "SET lock_timeout = '50ms'; SELECT lock_holds_of('192.0.2.1')")


def test_statements_name_functions_and_no_locks_of_their_own():
    written_out = {
        f"{area}.{name}": found
        for area, name, text in STATEMENTS
        if (found := re.findall(r"pg_\w*advisory\w*|2147483647|to_char", text))
    }
    assert written_out == {}, "call a function of sql/migrations/0042_named_locks.sql or 0044_utc_text.sql instead"


def test_every_function_that_locks_and_every_space_stands_in_the_document(database):
    functions = ask(
        database,
        """
        SELECT proname AS name, pg_get_functiondef(oid) AS text FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND prokind = 'f' AND probin IS NULL
        """,
    )
    locking = {row["name"] for row in functions if re.search(r"pg_\w*advisory", row["text"])}
    spaces = {row["name"] for row in functions if re.search(r"_(space|lock)$", row["name"])}
    assert len(locking) > 8
    assert len(spaces) >= 4
    assert {name for name in locking | spaces if not re.search(rf"`{name}\b", DOCUMENT)} == set()


def test_migrator_and_analytics_have_the_numbers_of_the_document(database):
    ((number,),) = [row.values() for row in ask(database, "SELECT analytics_lock()")]
    assert f"`{number}`" in DOCUMENT
    assert f"`{_LOCK}`" in DOCUMENT
    # Older functions lock the same number.
    older = ask(database, "SELECT proname FROM pg_proc WHERE prosrc LIKE %s", f"%pg_advisory_xact_lock({number})%")
    assert {row["proname"] for row in older} == {"open_analytics_month", "hold_analytics"}
