"""Fixtures of the tests of jobs: rows of the outbox, a provider over HTTP, and deliveries."""

from contextlib import ExitStack
from dataclasses import replace

import pytest
from redis import Redis

from jobs.delivery import deliver
from jobs.providers.resend import Resend
from jobs.settings import EmailSettings
from sql.database import Database
from sql.pool import Session
from tests.databases import own_server
from tests.jobs.rows import Rows
from tests.mailbox import KEY, Mailbox

# One mail at a time, so that the provider sees them in the order in which they were claimed.
SETTINGS = EmailSettings(
    provider="resend", sender="noreply@example.com", rate_limit=100, retry_attempts=3, concurrency=1
)


@pytest.fixture(scope="session")
def lone_server():
    """Offer a PostgreSQL that nobody else uses.

    A transaction that is open in any database of a server keeps newer events everywhere from being final.
    """
    with own_server() as url:
        yield url


@pytest.fixture
def rows(database):
    """Offer the rows of the outbox."""
    return Rows(database)


@pytest.fixture
def mailbox(httpserver):
    """Offer a provider that accepts what it is offered."""
    mailbox = Mailbox()
    httpserver.expect_request("/emails", "POST").respond_with_handler(mailbox)
    return mailbox


@pytest.fixture
def make_delivery(database, database_url, httpserver):
    """Make deliveries, each with connections of its own; settings of e-mail are given by name."""
    with ExitStack() as stack:

        def make(dsn=database_url, provider=None, policy=None, **settings):
            chosen = replace(SETTINGS, **settings)
            database = Database(dsn, size=2, session=Session("delivery"))
            stack.callback(database.close)
            return deliver.make_delivery(database, chosen, provider or Resend(KEY, httpserver.url_for("")), policy)

        yield make


@pytest.fixture
def delivery(make_delivery):
    """Offer the delivery of one worker."""
    return make_delivery()


@pytest.fixture
def redis(redis_url):
    """Offer Redis, empty."""
    with Redis.from_url(redis_url) as redis:
        redis.flushdb()
        yield redis
        redis.flushdb()
