"""One shape for every refusal."""

import json

import pytest
from flask.testing import FlaskClient

from scheduling.errors import CONSTRAINTS
from tests.client import Client
from tests.scheduling.answers import PROBLEM, assert_refused, rows


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "path",
    ["//api", "//api/v1", "/nowhere", "/bookings/1/nowhere", "/users/1", "//favicon.ico", "//.env", "//é\u2028"],
)
def test_unknown_route_names_path_and_method(client, method, path):
    answer = client.send(method, f"{path}?secret=1")
    expected = path[1:] if path.startswith("//") else f"/api/v1{path}"
    assert_refused(answer, 404, "not_found", path=expected, method=method)
    assert answer.json["error"] == "Route not found"
    assert b"secret" not in answer.data


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/bookings", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("DELETE", "/bookings", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("PUT", "/bookings/1", {"GET", "HEAD", "OPTIONS", "PATCH", "DELETE"}),
        ("GET", "/bookings/1/restore", {"POST", "OPTIONS"}),
        ("GET", "/auth/login", {"POST", "OPTIONS"}),
        ("POST", "/users/me", {"GET", "HEAD", "OPTIONS", "PATCH"}),
        ("POST", "//health", {"GET", "HEAD", "OPTIONS"}),
        ("TRACE", "/bookings", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("BREW", "/bookings", {"GET", "HEAD", "OPTIONS", "POST"}),
    ],
)
def test_method_that_a_route_lacks_is_405_with_allow(client, method, path, allowed):
    answer = client.send(method, path)
    assert_refused(answer, 405, "method_not_allowed")
    assert set(answer.headers["Allow"].split(", ")) == allowed


def test_problem_document_has_the_members_of_the_rfc(client):
    answer = client.post("/auth/login", {}, headers={"X-Request-ID": "a-request"})
    assert answer.content_type == "application/problem+json"
    assert answer.json.keys() == PROBLEM | {"errors"}
    assert answer.json["type"] == "about:blank"
    assert (answer.json["title"], answer.json["status"]) == ("Bad Request", 400)
    assert answer.json["error"] == answer.json["detail"]
    assert answer.json["request_id"] == "a-request"
    assert all(fault.keys() == {"pointer", "detail"} for fault in answer.json["errors"])


def test_sentence_names_the_invalid_fields(client):
    answer = client.post("/auth/login", {"email": "x"})
    assert "email" in answer.json["error"]
    assert "password" in answer.json["error"]


def test_invalid_value_is_not_repeated(client):
    answer = client.post("/auth/register", {"name": "<b>secret</b>\n", "email": "secret@x", "password": "secre"})
    assert answer.status_code == 400
    assert "secre" not in answer.text


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE organizations ADD CONSTRAINT unknown_check CHECK (name <> 'x') NOT VALID",
        "ALTER TABLE organizations ADD CONSTRAINT unknown_key EXCLUDE (name WITH =)",
    ],
)
def test_unexpected_error_tells_the_client_nothing(app, people, database, statement):
    unjudged = Client(FlaskClient(app, app.response_class), people.alice.token)
    rows(database, statement)
    try:
        for _ in range(2):
            answer = unjudged.post("/organizations", {"name": "x"})
    finally:
        rows(database, f"ALTER TABLE organizations DROP CONSTRAINT {statement.split()[5]}")
    assert_refused(answer, 500, "internal_error")
    assert answer.json["title"] == "Internal Server Error"
    for told in ("unknown", "psycopg2", "INSERT", "Traceback", ".py", "organizations"):
        assert told not in answer.text


def test_every_known_constraint_exists(database):
    names = "SELECT conname AS name FROM pg_constraint UNION SELECT indexname FROM pg_indexes"
    existing = {row["name"] for row in rows(database, names)}
    gone = CONSTRAINTS.keys() - existing
    assert not gone, f"Take {sorted(gone)} out of CONSTRAINTS of scheduling/errors.py, or name the constraint so"


def test_every_constraint_that_a_client_can_break_has_an_answer(database):
    unique_or_exclusive = rows(
        database,
        """
        SELECT conname FROM pg_constraint
        WHERE contype IN ('u', 'x') AND connamespace = 'public'::regnamespace
        """,
    )
    # These are met with ON CONFLICT instead, or hold what nobody but us can name.
    met = {"organization_members_organization_id_user_id_key", "claims_booking_id_key"}
    met |= {"event_types_uid_key", "holds_uid_key", "appointments_uid_key", "bookings_appointment_id_user_id_key"}
    answered = {row["conname"] for row in unique_or_exclusive} & (CONSTRAINTS.keys() | met)
    for name in {row["conname"] for row in unique_or_exclusive if "idempotency" not in row["conname"]} - answered:
        pytest.fail(
            f'Write into CONSTRAINTS of scheduling/errors.py: "{name}": (<status>, '
            '"<a code of scheduling/problems.py>", "<a sentence>"),'
        )


@pytest.mark.parametrize(("status", "code", "detail"), CONSTRAINTS.values())
def test_answers_to_constraints_are_refusals(status, code, detail):
    assert 400 <= status < 500
    assert code == code.lower()
    assert detail
    assert json.dumps(detail)


def test_accept_header_changes_no_refusal(client):
    answer = client.get("/nowhere", headers={"Accept": "text/html"})
    assert answer.content_type == "application/problem+json"
