"""What tests of the API say about answers and about what was written."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg2.extensions import connection as Connection
from werkzeug.test import TestResponse

from tests.tables import tables_of

PROBLEM = {"type", "title", "status", "detail", "error", "code", "request_id"}
IDENTITY = {"id", "name", "email", "role"}
NOWHERE = 2**62


def faults_of(answer: TestResponse) -> list[str]:
    """Return what an answer calls invalid, each once: `/field` of the body, `?parameter` of the query, `header:`."""
    signs = {"pointer": "{}", "parameter": "?{}", "header": "{}:"}
    places = [(place, fault[place]) for fault in answer.json.get("errors", []) for place in fault if place != "detail"]
    return list(dict.fromkeys(signs[place].format(name) for place, name in places))


def assert_refused(answer: TestResponse, status: int, code: str, *faults: str, **members: Any) -> None:
    """Hold a refusal against its one shape, and what is invalid against its names as `faults_of` returns them."""
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.text
    expected = PROBLEM | members.keys() | ({"errors"} if faults else set())
    assert answer.json.keys() == expected, answer.text
    assert faults_of(answer) == list(faults)
    assert {name: answer.json[name] for name in members} == members
    assert answer.json["status"] == status
    assert answer.json["request_id"] == answer.headers["X-Request-ID"]


def without_request_id(answer: TestResponse) -> tuple[int, dict[str, Any]]:
    """Return what two answers that look the same have in common."""
    return answer.status_code, {name: value for name, value in answer.json.items() if name != "request_id"}


def rows(database: Connection, statement: str, *parameters: Any) -> list[dict[str, Any]]:
    """Ask the database."""
    with database.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        return [dict(row) for row in cursor.fetchall()] if cursor.description else []


def contents(database: Connection) -> dict[str, list[str]]:
    """Return all that is stored."""
    return {
        table: [row["text"] for row in rows(database, f"SELECT t::text AS text FROM {table} AS t ORDER BY text")]
        for table in tables_of(database)
    }


@contextmanager
def nothing_written(database: Connection) -> Iterator[None]:
    """Fail when anything was written meanwhile."""
    before = contents(database)
    yield
    assert contents(database) == before


def emails_to(database: Connection, recipient: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the kinds and data of the e-mails that were promised to somebody, in order."""
    found = rows(database, "SELECT kind, data FROM emails WHERE recipient = %s ORDER BY id", recipient)
    return [(row["kind"], row["data"]) for row in found]
