"""What the tests of the pool share: pools, and a server that can be frozen."""

from contextlib import ExitStack
from uuid import uuid4

import pytest

from scripts.stack.servers import THROWAWAY, Postgres
from sql.pool import ConnectionPool, Session


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
