"""The words that a value may be: one list for the code, the database and the document."""

import re
from pathlib import Path

import pytest

from scheduling.availability.facts import DAYS
from scheduling.availability.rules import Rule
from scheduling.problems import CODES
from scheduling.schemas import choices
from tests.databases import ask

ROOT = Path(__file__).resolve().parents[3]

# Table and column, and the fields of the document that show it.
STORED = {
    ("users", "role"): (choices.PLATFORM_ROLES, {"IdentityOut.role", "UserOut.role"}),
    ("organization_members", "role"): (choices.MEMBER_ROLES, {"MemberIn.role", "MemberOut.role"}),
    ("bookings", "status"): (choices.BOOKING_STATUSES, {"BookingOut.status", "?status"}),
    ("appointments", "status"): (choices.BOOKING_STATUSES, {"GuestBookingOut.status"}),
    ("notifications", "type"): (choices.NOTIFICATION_TYPES, {"NotificationOut.type"}),
    ("emails", "kind"): (choices.MAIL_KINDS, {"DeliveryOut.kind"}),
    ("emails", "status"): (choices.MAIL_STATUSES, {"DeliveryOut.status"}),
    ("event_types", "assignment"): (
        choices.ASSIGNMENTS,
        {"EventTypeIn.assignment", "EventTypeChangeIn.assignment", "EventTypeOut.assignment", "AssignmentOut.mode"},
    ),
}
# What no table stores, or not by itself.
COMPUTED = {
    "?membership": choices.MEMBERSHIPS,
    "WeeklyHours.days": DAYS,
    "RuleOut.code": [rule.value for rule in Rule],
    "FailedRuleOut.code": [rule.value for rule in Rule],
    "Problem.code": list(CODES),
    "HealthOut.status": ["OK"],
    "ReadinessOut.status": ["ready", "unavailable"],
}
# What the API does not show.
INTERNAL = {("users", "password_scheme"), ("emails", "calendar_method")}


@pytest.fixture(scope="module")
def document(app):
    return app.test_client().get("/openapi.json").json


def documented(document):
    """Return each list of words of the document by the field that has it."""
    found = {}
    for name, schema in document["components"]["schemas"].items():
        for field, inner in schema["properties"].items():
            words = inner.get("enum") or inner.get("items", {}).get("enum")
            if words:
                found[f"{name}.{field}"] = words
    for item in document["paths"].values():
        for operation in item.values():
            for parameter in operation.get("parameters", []) if isinstance(operation, dict) else []:
                if "enum" in parameter["schema"]:
                    found[f"?{parameter['name']}"] = parameter["schema"]["enum"]
    return found


def checked(database):
    """Return each list of words that a column may have."""
    statement = """
        SELECT conrelid::regclass::text AS name, attname AS column, pg_get_constraintdef(pg_constraint.oid) AS text
        FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND ARRAY[attnum] = conkey
        WHERE contype = 'c' AND connamespace = 'public'::regnamespace
    """
    return {
        (row["name"], row["column"]): set(re.findall(r"'([^']+)'::text", row["text"]))
        for row in ask(database, statement)
        if "= ANY (ARRAY[" in row["text"]
    }


def test_every_list_of_the_document_is_that_of_the_code(document):
    expected = {field: list(words) for words, fields in STORED.values() for field in fields} | {
        field: list(words) for field, words in COMPUTED.items()
    }
    found = documented(document)
    for field in found.keys() - expected.keys():
        pytest.fail(
            f"List the values of {field} in scheduling/schemas/choices.py, and write {field!r} beside that list into "
            "STORED of tests/scheduling/schemas/test_choices.py, or into COMPUTED when no table stores it"
        )
    assert found == expected


def test_every_list_of_the_database_is_that_of_the_code(database):
    found = checked(database)
    for table, column in found.keys() - STORED.keys() - INTERNAL:
        pytest.fail(
            f"List {sorted(found[table, column])} in scheduling/schemas/choices.py, and write {(table, column)} with "
            "that list and its fields into STORED of tests/scheduling/schemas/test_choices.py, or into INTERNAL"
        )
    assert found.keys() == STORED.keys() | INTERNAL, "take out of STORED what no migration checks any more"
    assert {column: found[column] for column in STORED} == {column: set(words) for column, (words, _) in STORED.items()}


def test_every_notification_that_a_statement_writes_is_of_a_known_type():
    sources = [*(ROOT / "sql/queries").glob("*.sql"), *(ROOT / "scheduling").rglob("*.py")]
    written = set(re.findall(r"['\"]((?:BOOKING|ORG|APPOINTMENT)_[A-Z]+)['\"]", "".join(map(Path.read_text, sources))))
    assert written <= {*choices.NOTIFICATION_TYPES, *choices.MAIL_KINDS}
    assert set(choices.NOTIFICATION_TYPES) <= written


def test_every_code_stands_on_the_page_with_its_status():
    page = (ROOT / "docs/api.md").read_text()
    rows = re.findall(r"^\| (\d{3}) \| (.*) \|$", page, re.MULTILINE)
    listed = {code: int(status) for status, codes in rows for code in re.findall(r"`([a-z_]+)`", codes)}
    known = {code: status for code, (status, _) in CODES.items() if status != 500}
    missing = {code: status for code, status in known.items() if listed.get(code) != status}
    assert not missing, f"Write {missing} into the table of codes in docs/api.md, each into the row of its status"
    assert listed == known, "take out of the table in docs/api.md what no problem has any more"


def test_every_rule_stands_on_the_page_in_its_order():
    page = (ROOT / "docs/availability.md").read_text()
    assert re.findall(r"^\| `([a-z_]+)` \|", page, re.MULTILINE) == [rule.value for rule in Rule]
