"""What the tests of the rollup share: a server of their own, events, and rollups."""

from contextlib import ExitStack

import pytest

from jobs.analytics.rollup import Rollup
from sql.database import Database
from sql.pool import Session
from tests.databases import connected, migrated_database
from tests.jobs.analytics.events import Events


@pytest.fixture(scope="session")
def database_url(lone_server):
    """Offer a database on a server where no transaction is open but those of the test."""
    with migrated_database(lone_server) as url:
        yield url


@pytest.fixture(scope="session")
def connection(database_url):
    """Open a connection to it."""
    with connected(database_url) as connection:
        yield connection


@pytest.fixture
def events(database):
    """Offer the events."""
    return Events(database)


@pytest.fixture
def make_rollup(database, database_url):
    """Make rollups, each with a connection of its own."""
    with ExitStack() as stack:

        def make(batch=100):
            rollup = Rollup(Database(database_url, size=1, session=Session("rollup")), 0, batch)
            stack.callback(rollup.database.close)
            return rollup

        yield make


@pytest.fixture
def rollup(make_rollup):
    """Offer the rollup of one worker."""
    return make_rollup()


@pytest.fixture
def open_transaction(database_url):
    """Open transactions that stay open until the test ends them."""
    with ExitStack() as stack:

        def make():
            connection = stack.enter_context(connected(database_url))
            connection.autocommit = False
            return connection

        yield make
