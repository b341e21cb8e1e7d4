"""Every request leaves one line in the log, and no secret in it: looked at from outside of a real process."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.people import PASSWORD
from tests.scheduling.answers import rows

ROOT = Path(__file__).resolve().parents[3]
NEW = "battery staple"
# Sends what it is told to, and says on the other stream what was answered.
SERVER = """
import json, sys
from wsgi import app
for method, path, options in json.load(sys.stdin):
    answer = app.test_client().open(path, method=method, **options)
    print(json.dumps([answer.status_code, answer.text]), file=sys.stderr)
"""


def serve(*requests, **settings):
    """Send requests to a process; return what it logged, line by line, and what it answered."""
    served = subprocess.run(
        [sys.executable, "-c", SERVER],
        cwd=ROOT,
        env=os.environ | settings,
        input=json.dumps(requests),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert served.returncode == 0, served.stderr
    return served.stdout.splitlines(), [json.loads(line) for line in served.stderr.splitlines()]


def serve_in_production(*requests):
    lines, answers = serve(*requests, APP_ENV="production")
    return [json.loads(line) for line in lines], answers


def get(path, **headers):
    return ("GET", path, {"headers": headers})


def bearing(person):
    return {"Authorization": f"Bearer {person.token}"}


def test_line_for_a_person_is_one_sentence(settings):
    (line,), _ = serve(get("/health?token=secret", **{"X-Request-ID": "a-request"}))
    assert re.search(r"GET /health 200 \d+ms", line)
    assert "a-request" in line
    assert "secret" not in line
    assert line.isprintable()


def test_line_for_a_machine_is_one_object(settings):
    (entry,), _ = serve_in_production(get("/health?token=secret", **{"X-Request-ID": "a-request"}))
    assert entry.keys() == {"event", "level", "time", "request_id", "method", "path", "status", "duration_ms"}
    assert (entry["event"], entry["method"], entry["path"], entry["status"]) == ("request", "GET", "/health", 200)
    assert entry["request_id"] == "a-request"
    assert entry["duration_ms"] >= 0
    assert entry["time"].endswith("Z")


def test_line_names_who_was_signed_in(people):
    (first, second), _ = serve_in_production(get("/api/v1/users/me", **bearing(people.alice)), get("/health"))
    assert first["user_id"] == people.alice.id
    assert "user_id" not in second
    assert first["request_id"] != second["request_id"]


def test_path_cannot_write_a_line_of_its_own(settings):
    paths = ["/a%0Ab", "/a%0D%0Ab", "/%E2%80%A8", "/%1b[31mred", "/%00", "/é"]
    for app_env in ("production", "development"):
        lines, answers = serve(*map(get, paths), APP_ENV=app_env)
        assert [status for status, _ in answers] == [404] * len(paths)
        assert len(lines) == len(paths)
        assert all((line.isprintable() and " 404 " in line) or '"status":404' in line for line in lines)


def test_uid_of_a_hold_is_not_logged(settings, database):
    """Whoever books with it is given the token of the booking."""
    uid = "h" * 22
    for app_env in ("production", "development"):
        lines, answers = serve(
            ("DELETE", f"/api/v1/holds/{uid}", {}), ("DELETE", f"/api/v1/holds/{uid}/", {}), APP_ENV=app_env
        )
        assert [status for status, _ in answers] == [200, 200]
        assert uid not in "\n".join(lines)
        assert all("/api/v1/holds/<uid:hold_uid>" in line for line in lines)


def test_no_password_and_no_token_is_ever_logged(people, database):
    alice = people.alice
    dora = {"name": "Dora", "email": "dora@example.com", "password": PASSWORD}
    change = {"currentPassword": PASSWORD, "newPassword": NEW}
    requests = [
        ("POST", "/api/v1/auth/register", {"json": dora}),
        ("POST", "/api/v1/auth/register", {"json": dora}),
        ("POST", "/api/v1/auth/login", {"json": dora}),
        ("POST", "/api/v1/auth/login", {"json": dora | {"password": "guess me not"}}),
        ("POST", "/api/v1/auth/login", {"json": dora | {"password": ["guess me not"]}}),
        ("POST", f"/api/v1/auth/login?password={PASSWORD}&token={alice.token}", {}),
        get(f"/api/v1/users/me?access_token={alice.token}", **bearing(alice)),
        get("/api/v1/users/me", Authorization=f"Bearer {alice.token}x"),
        ("PATCH", "/api/v1/users/me/password", {"json": change, "headers": bearing(alice)}),
        ("POST", "/api/v1/auth/revoke", {"headers": bearing(alice)}),
    ]
    for app_env in ("production", "development"):
        lines, answers = serve(*requests, APP_ENV=app_env)
        logged = "\n".join(lines)
        assert len(lines) == len(answers) == len(requests)
        issued = [json.loads(text)["token"] for _, text in answers if '"token":' in text]
        assert issued
        for secret in (PASSWORD, NEW, "guess me not", alice.token, *issued):
            assert secret not in logged
            assert secret.rpartition(".")[2] not in logged
        assert "$2b$" not in logged
        assert dora["email"] not in logged


@pytest.fixture
def broken_users(database):
    """Let every registration fail as nobody expected."""
    rows(database, "ALTER TABLE users ADD CONSTRAINT broken CHECK (name <> 'Dora') NOT VALID")
    yield
    rows(database, "ALTER TABLE users DROP CONSTRAINT broken")


DORA = ("POST", "/api/v1/auth/register", {"json": {"name": "Dora", "email": "d@example.com", "password": PASSWORD}})


def test_unexpected_error_is_logged_with_where_but_without_the_values_of_variables(settings, broken_users):
    (error, request), ((status, text),) = serve_in_production(DORA)
    assert status == 500
    assert (error["event"], request["event"]) == ("unexpected_error", "request")
    assert error["request_id"] == request["request_id"] == json.loads(text)["request_id"]
    assert "CheckViolation" in json.dumps(error)
    assert "routes/auth.py" in json.dumps(error)
    assert PASSWORD not in json.dumps(error)


@pytest.mark.parametrize("app_env", ["production", "development"])
def test_unexpected_error_is_logged_without_the_row_that_failed(settings, broken_users, app_env):
    lines, _ = serve(DORA, APP_ENV=app_env)
    logged = "\n".join(lines)
    assert "unexpected_error" in logged
    assert "$2b$" not in logged
    assert "d@example.com" not in logged


def test_settings_show_no_secret(settings):
    assert settings.jwt_secret not in repr(settings)
    assert settings.delivery.database_url not in repr(settings)
