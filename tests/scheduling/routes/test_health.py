"""Tell whether the process lives, and whether it can work."""

from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient

from scheduling.app import create_app
from scheduling.settings import read_settings
from scripts.stack.ports import free_port
from tests.scheduling.answers import rows


@pytest.fixture
def nowhere(monkeypatch):
    """Set addresses at which nobody listens."""
    return {
        "DATABASE_URL": f"postgresql://nobody@127.0.0.1:{free_port()}/nothing",
        "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",
    }


def client_of(monkeypatch, **settings):
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return create_app(read_settings()).test_client()


def test_health_tells_that_the_process_lives(client):
    answer = client.get("//health")
    assert answer.status_code == 200
    assert answer.json.keys() == {"status", "uptime", "timestamp", "environment"}
    assert (answer.json["status"], answer.json["environment"]) == ("OK", "development")
    assert answer.json["uptime"] >= 0
    assert answer.json["timestamp"].endswith("Z")
    assert abs((datetime.fromisoformat(answer.json["timestamp"]) - datetime.now(UTC)).total_seconds()) < 60
    assert client.get("//health").json["uptime"] >= answer.json["uptime"]


def test_health_touches_neither_database_nor_redis(settings, monkeypatch, nowhere):
    assert client_of(monkeypatch, **nowhere).get("/health").json["status"] == "OK"


def test_readiness_tells_that_all_is_there(client):
    answer = client.get("//health/ready")
    assert answer.status_code == 200
    assert (answer.json["status"], answer.json["checks"]) == (
        "ready",
        {"database": "ok", "schema": "ok", "redis": "ok"},
    )


def test_missing_redis_is_reported_and_no_reason_to_refuse(settings, monkeypatch, nowhere):
    answer = client_of(monkeypatch, REDIS_URL=nowhere["REDIS_URL"]).get("/health/ready")
    assert answer.status_code == 200
    assert answer.json["checks"] == {"database": "ok", "schema": "ok", "redis": "unavailable"}


def test_missing_database_makes_it_503(settings, monkeypatch, nowhere):
    client = client_of(monkeypatch, DATABASE_URL=nowhere["DATABASE_URL"])
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json["status"] == "unavailable"
    assert answer.json["checks"] == {"database": "unavailable", "schema": "unknown", "redis": "ok"}
    assert "nobody" not in answer.text


def test_missing_database_is_503_with_retry_after_on_every_other_route(settings, monkeypatch, nowhere):
    client = client_of(monkeypatch, DATABASE_URL=nowhere["DATABASE_URL"])
    answer = client.post("/api/v1/auth/login", json={"email": "a@example.com", "password": "correct horse"})
    assert (answer.status_code, answer.json["code"]) == (503, "service_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert "nobody" not in answer.text


def test_schema_that_is_behind_makes_it_503(app, database):
    (row,) = rows(database, "SELECT version, name, checksum FROM schema_migrations ORDER BY version DESC LIMIT 1")
    rows(database, "DELETE FROM schema_migrations WHERE version = %s", row["version"])
    try:
        answer = FlaskClient(app, app.response_class).get("/health/ready")
    finally:
        rows(database, "INSERT INTO schema_migrations (version, name, checksum) VALUES (%s, %s, %s)", *row.values())
    assert answer.status_code == 503
    assert answer.json["checks"]["database"] == "ok"
    assert answer.json["checks"]["schema"].startswith("behind")


def test_schema_that_was_never_made_makes_it_503(app, database):
    rows(database, "ALTER TABLE schema_migrations RENAME TO elsewhere")
    try:
        answer = FlaskClient(app, app.response_class).get("/health/ready")
    finally:
        rows(database, "ALTER TABLE elsewhere RENAME TO schema_migrations")
    assert answer.status_code == 503
    assert answer.json["checks"]["schema"].startswith("missing")
