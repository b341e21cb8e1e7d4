"""Events find their month, before its partition is there, while it is made and until it is dropped."""

from contextlib import closing, contextmanager
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from jobs.analytics.months import keep_months
from jobs.analytics.rollup import Rollup
from sql.database import Database
from sql.migrator import apply_migration, create_ledger, load_migrations
from sql.pool import Session
from tests.databases import ask, connected, empty_database
from tests.jobs.analytics.events import Events

BEFORE_MONTHS = 10
OLD_INSERT = "INSERT INTO analytics_events (user_id, event_type, metadata) VALUES (%s, %s, %s) RETURNING id, event_type"


def migrate(connection, first=1, last=None):
    create_ledger(connection)
    for migration in load_migrations()[first - 1 : last]:
        apply_migration(connection, migration)


@pytest.fixture
def url(lone_server):
    """Offer a database of its own, in which nothing was migrated."""
    with empty_database(lone_server) as url:
        yield url


@pytest.fixture
def bare(url):
    """Offer a connection to it."""
    with connected(url) as connection:
        ask(connection, "SET TimeZone = 'UTC'")
        yield connection


@pytest.fixture
def migrated(bare):
    """Offer the newest schema."""
    migrate(bare)
    return bare


@pytest.fixture
def events(migrated):
    """Offer the events of the newest schema."""
    return Events(migrated)


@pytest.fixture
def worker(url):
    """Offer the connections of a worker."""
    with closing(Database(url, size=1, session=Session("months"))) as database:
        yield database


def month(offset):
    """Return the first instant of a month, so many months from now."""
    today = datetime.now(UTC)
    number = today.year * 12 + today.month - 1 + offset
    return datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)


def name(offset):
    return f"analytics_events_{month(offset):%Y_%m}"


def partitions(connection):
    return {row["name"]: row["until"] for row in ask(connection, "SELECT name, until FROM analytics_months")}


def log_at(connection, *instants, event_type="click"):
    for instant in instants:
        ask(connection, "INSERT INTO analytics_events (event_type, created_at) VALUES (%s, %s)", event_type, instant)


def places(connection):
    rows = ask(connection, "SELECT tableoid::regclass::text AS name FROM analytics_events ORDER BY created_at, id")
    return [row["name"] for row in rows]


def without_past(connection):
    """Put months in the place of the first partition, as they are after a year."""
    ask(connection, "ALTER TABLE analytics_events DETACH PARTITION analytics_events_first")
    ask(connection, "DROP TABLE analytics_events_first")
    for offset in range(-4, 1):
        ask(connection, "SELECT open_analytics_month(%s)", month(offset))


def test_migration_keeps_every_event_and_the_old_version_goes_on_logging(bare):
    migrate(bare, last=BEFORE_MONTHS)
    user = Events(bare).person(1)
    ask(bare, OLD_INSERT, user, "a", "{}")
    ask(bare, OLD_INSERT, None, "b", '{"n": 1}')
    # Clocks go wrong: what lies in a later month than this is nothing to stumble over.
    log_at(bare, month(-30), month(7))
    ask(bare, "SELECT nextval('analytics_events_id_seq')")
    columns = "SELECT id, user_id, event_type, metadata, created_at FROM analytics_events ORDER BY id"
    before = ask(bare, columns)

    migrate(bare, first=BEFORE_MONTHS + 1)
    assert ask(bare, columns) == before
    assert places(bare) == ["analytics_events_first"] * 3 + ["analytics_events_default"]
    (logged,) = ask(bare, OLD_INSERT, user, "c", "{}")
    assert logged["id"] > before[-1]["id"] + 1
    ask(bare, "DELETE FROM users")
    assert ask(bare, "SELECT user_id FROM analytics_events WHERE user_id IS NOT NULL") == []


def test_migrated_events_are_added_up_in_batches(bare, worker):
    migrate(bare, last=BEFORE_MONTHS)
    ask(bare, "INSERT INTO analytics_events (event_type) SELECT 'bulk' FROM generate_series(1, 25)")
    migrate(bare, first=BEFORE_MONTHS + 1)
    events = Events(bare)
    events.check()
    Rollup(worker, 0, batch=10).catch_up()
    assert events.waiting() == 0
    events.check()


def test_months_to_come_are_opened_once(migrated, worker):
    for _ in range(2):
        keep_months(worker, 0)
        assert partitions(migrated) == {
            "analytics_events_first": month(1),
            name(1): month(2),
            name(2): month(3),
        }


def test_every_event_finds_a_partition(migrated, worker):
    keep_months(worker, 0)
    log_at(migrated, "2000-01-01Z", month(0), month(1), month(2), month(3), "2099-12-31Z")
    assert places(migrated) == [
        *["analytics_events_first"] * 2,
        name(1),
        name(2),
        *["analytics_events_default"] * 2,
    ]


def test_events_that_came_before_their_month_was_opened_move_into_it(events, worker):
    inside = [month(1), month(2) - (month(2) - month(1)) / 2]
    log_at(events.database, *inside, month(5))
    rollup = Rollup(worker, 0)
    rollup.catch_up()
    log_at(events.database, *inside)
    rollup.clean_up()
    assert places(events.database) == [name(1)] * 4 + ["analytics_events_default"]
    events.check()
    rollup.catch_up()
    assert events.waiting() == 0
    events.check()


def test_months_that_were_missed_are_opened_too(migrated, worker):
    without_past(migrated)
    for offset in (0, -1):
        ask(migrated, f"DROP TABLE {name(offset)}")
    log_at(migrated, month(-1), month(0))
    keep_months(worker, 0)
    assert places(migrated) == [name(-1), name(0)]
    assert max(partitions(migrated).values()) == month(3)


@contextmanager
def writing(url, statement, *parameters):
    """Leave a transaction open that has written something."""
    with connected(url) as connection:
        connection.autocommit = False
        ask(connection, statement, *parameters)
        yield connection


def test_month_waits_while_the_default_partition_is_in_use(migrated, worker, url):
    event = "INSERT INTO analytics_events (event_type, created_at) VALUES ('x', %s)"
    with writing(url, event, month(2)) as connection, capture_logs() as lines:
        keep_months(worker, 0)
        assert [line["event"] for line in lines] == ["analytics_month_in_use"] * 2
        # Nobody is kept waiting by it.
        log_at(migrated, month(1))
        connection.commit()
    keep_months(worker, 0)
    assert places(migrated) == [name(1), name(2)]


SHAPE = """
SELECT (SELECT count(*) FROM pg_index WHERE indrelid = %s::regclass) AS indexes,
       ARRAY(SELECT conname::text FROM pg_constraint WHERE conrelid = %s::regclass AND contype IN ('c', 'f')
             ORDER BY 1) AS constraints
"""


def test_partitions_have_every_index_and_constraint(migrated, worker):
    keep_months(worker, 0)
    (table,) = ask(migrated, SHAPE, *["analytics_events"] * 2)
    assert table["indexes"] == 4
    assert len(table["constraints"]) == 3
    for partition in ("analytics_events_first", "analytics_events_default", name(1)):
        assert ask(migrated, SHAPE, *[partition] * 2) == [table]


def test_everything_is_kept_unless_a_retention_is_set(migrated, worker):
    without_past(migrated)
    log_at(migrated, month(-4))
    keep_months(worker, 0)
    assert name(-4) in partitions(migrated)
    assert len(places(migrated)) == 1


def test_months_past_the_retention_go_with_what_they_added_up_to(events, worker):
    without_past(events.database)
    alice, bob = events.person(1), events.person(2)
    for user_id, instant in (
        (alice, month(-4)),
        (bob, month(-3)),
        (alice, month(-2)),
        (None, "2001-01-01Z"),
    ):
        ask(
            events.database,
            "INSERT INTO analytics_events (user_id, event_type, created_at) VALUES (%s, 'click', %s)",
            user_id,
            instant,
        )
    rollup = Rollup(worker, 2)
    rollup.catch_up()
    # One that nobody has added up yet.
    log_at(events.database, month(-3))
    rollup.clean_up()
    assert places(events.database) == [name(-2)]
    assert name(-3) not in partitions(events.database)
    events.check()
    # Bob comes back, and is one person.
    events.log(bob)
    events.check()
    rollup.catch_up()
    events.check()


def test_month_that_is_read_is_dropped_later(migrated, worker, url):
    without_past(migrated)
    with writing(url, "SELECT count(*) FROM analytics_events"), capture_logs() as lines:
        keep_months(worker, 1)
        assert {"event": "analytics_month_in_use", "month": "past", "log_level": "warning"} in lines
    assert name(-4) in partitions(migrated)
    keep_months(worker, 1)
    assert name(-4) not in partitions(migrated)
