"""What every test may ask for."""

from collections.abc import Iterator

import psycopg2
import pytest
from flask import Flask
from psycopg2.extensions import connection as Connection
from psycopg2.extras import RealDictCursor
from redis import Redis

from scheduling.app import create_app
from scheduling.settings import Settings, read_settings
from tests.client import Client, ConformingClient
from tests.people import People
from tests.tables import delete_all

pytest_plugins = ["tests.plugins.servers"]


@pytest.fixture(scope="session", autouse=True)
def environment(request: pytest.FixtureRequest) -> Iterator[pytest.MonkeyPatch]:
    """Set what a deployment would set, for this process and for those that it starts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("APP_ENV", "development")
        patch.setenv("JWT_SECRET", "a secret for tests, long enough to be one")
        patch.setenv("BCRYPT_ROUNDS", "4")
        patch.setenv("EMAIL_MOCK_DELAY", "0")
        patch.setenv("RATE_LIMIT_REGISTER", "1000000 per minute")
        patch.setenv("RATE_LIMIT_GUEST_MAILS_PER_RECIPIENT", "100000 per hour")
        yield patch


@pytest.fixture(scope="session")
def settings(environment: pytest.MonkeyPatch, database_url: str, redis_url: str) -> Settings:
    """Read the settings of the application under test."""
    environment.setenv("DATABASE_URL", database_url)
    environment.setenv("REDIS_URL", redis_url)
    return read_settings()


@pytest.fixture(scope="session")
def app(settings: Settings) -> Flask:
    """Make the application under test, once."""
    app = create_app(settings)
    app.test_client_class = ConformingClient
    return app


@pytest.fixture(scope="session")
def connection(database_url: str) -> Iterator[Connection]:
    """Open a connection of the test's own, to see what was written."""
    connection = psycopg2.connect(database_url, cursor_factory=RealDictCursor)
    connection.autocommit = True
    yield connection
    connection.close()


@pytest.fixture(scope="session")
def counters(redis_url: str) -> Iterator[Redis]:
    """Open a connection to where rates are counted, across tests unless they are forgotten."""
    with Redis.from_url(redis_url) as redis:
        yield redis


@pytest.fixture
def database(connection: Connection, counters: Redis) -> Iterator[Connection]:
    """Offer the database, empty."""
    yield connection
    with connection.cursor() as cursor:
        delete_all(cursor)
    counters.flushdb()


@pytest.fixture
def client(app: Flask, database: Connection) -> Client:
    """Offer somebody who is not signed in."""
    return Client(app.test_client())


@pytest.fixture
def people(client: Client, database: Connection) -> People:
    """Offer people: alice owns, bob belongs, carol must not see, admin administers."""
    return People(client, database)
