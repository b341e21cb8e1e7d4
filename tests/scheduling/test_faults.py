"""What a refusal calls invalid: a field by a pointer into the body, a parameter and a header by name."""

import pytest

from tests.attack.operations import OPERATIONS
from tests.people import time_on
from tests.scheduling.answers import assert_refused, faults_of, nothing_written
from tests.scheduling.appointments.guests import book

FIELDS = [(operation, name) for operation in OPERATIONS for name in operation.fields]
PARAMETERS = [(operation, name) for operation in OPERATIONS for name in operation.query]
# What null takes away again, or leaves to a default that is no value.
NULLABLE = {
    ("POST", "/api/v1/event-types"): {"daily_limit", "schedule_id", "organization_id"},
    ("PATCH", "/api/v1/event-types/{event_type_uid}"): {"daily_limit", "schedule_id"},
}


def is_nullable(operation, name):
    return name in NULLABLE.get((operation.method, operation.path), ())


def ask(person, operation, body=None, **options):
    """Send what an operation takes as somebody who may."""
    path = operation.url({"event_type_uid": "u" * 22, "booking_uid": "u" * 22}).removeprefix("/api/v1")
    return person.send(operation.method, path, body, **options)


@pytest.mark.parametrize(("operation", "name"), FIELDS, ids=str)
def test_document_says_which_fields_may_be_null(operation, name):
    schema = operation.fields[name]
    assert ("null" in schema["type"]) is is_nullable(operation, name)
    assert "default" not in schema or schema["default"] is not None


@pytest.mark.parametrize(("operation", "name"), [each for each in FIELDS if not is_nullable(*each)], ids=str)
def test_null_is_refused_and_the_field_is_named(people, database, operation, name):
    admin, body = people.admin, operation.body() | {name: None}
    with nothing_written(database):
        answer = ask(admin, operation, body)
        assert (answer.status_code, answer.json["code"]) == (400, "validation_error"), answer.text
        assert f"/{name}" in faults_of(answer)


@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        ("/bookings", {"title": "x", "start_time": None, "end_time": None}, "start"),
        ("/analytics/event", {"event_type": None}, "eventType"),
        ("/event-types", {"title": "x", "duration_minutes": 30, "hosts": [None]}, "hosts/0"),
        ("/schedules", {"name": "x", "time_zone": "UTC", "rules": [None]}, "rules/0"),
    ],
)
def test_null_is_refused_in_another_spelling_and_inside_too(people, path, body, name):
    answer = people.alice.post(path, body)
    assert answer.status_code == 400
    assert f"/{name}" in faults_of(answer)


def test_null_takes_limits_and_schedules_away(people):
    event_type = people.alice.event_type(daily_limit=None, schedule_id=None, organization_id=None)
    path = f"/event-types/{event_type['uid']}"
    assert people.alice.patch(path, {"daily_limit": 3}).json["event_type"]["daily_limit"] == 3
    taken_away = people.alice.patch(path, {"daily_limit": None, "schedule_id": None}).json["event_type"]
    assert (taken_away["daily_limit"], taken_away["schedule_id"]) == (None, None)


@pytest.mark.parametrize(("operation", "name"), PARAMETERS, ids=str)
def test_invalid_parameter_is_named_as_one(people, operation, name):
    for query in ([(name, "a\0b")], [(name, "1"), (name, "1")]):
        answer = ask(people.admin, operation, query_string=query)
        assert answer.status_code == 400, answer.text
        assert f"?{name}" in faults_of(answer)
        assert not any("pointer" in fault for fault in answer.json["errors"])


def test_time_whose_plus_is_not_escaped_is_refused_with_a_hint(client, people):
    link = people.alice.event_type_uid()
    window = f"from={time_on(1):%Y-%m-%dT%H:%M:%S}+02:00&to={time_on(2):%Y-%m-%dT%H:%M:%S}%2B02:00"
    answer = client.get(f"/event-types/{link}/slots?{window}")
    assert_refused(answer, 400, "validation_error", "?from")
    assert "%2B" in answer.json["error"]
    assert client.get(f"/event-types/{link}/slots?{window.replace('+', '%2B')}").status_code == 200


@pytest.mark.parametrize(
    "time", ["2030-01-01T09:00:00 02:00", "2030-01-01 09:00:00 02:00", "2030-01-01T09:00:00.5 0200"]
)
def test_offset_behind_a_space_gets_the_hint(people, time):
    answer = people.alice.get("/bookings", query_string={"from": time})
    assert_refused(answer, 400, "validation_error", "?from")
    assert "%2B" in answer.json["error"]


def test_zone_whose_plus_is_not_escaped_is_refused_with_a_hint(client, people):
    path = (
        f"/event-types/{people.alice.event_type_uid()}/slots?from={time_on(1):%FT%TZ}&to={time_on(2):%FT%TZ}&time_zone="
    )
    answer = client.get(f"{path}Etc/GMT+5")
    assert_refused(answer, 400, "validation_error", "?time_zone")
    assert "%2B" in answer.json["error"]
    assert client.get(f"{path}Etc/GMT%2B5").json["time_zone"] == "Etc/GMT+5"
    assert "%2B" not in client.get(f"{path}Etc/GMT 99").json["error"]


@pytest.mark.parametrize(
    "time", ["2030-01-01T09:00:00", "2030-01-01 09:00:00", "tomorrow", "", "2030-01-01T09:00:00Z "]
)
def test_other_times_that_are_none_get_no_hint(people, time):
    answer = people.alice.get("/bookings", query_string={"from": time})
    assert_refused(answer, 400, "validation_error", "?from")
    assert "%2B" not in answer.json["error"]


def test_notes_hold_no_control_characters(client, people, database):
    link = people.alice.event_type_uid()
    with nothing_written(database):
        assert_refused(book(client, link, time_on(3), notes="a\x07b"), 400, "validation_error", "/notes")
    assert book(client, link, time_on(3), notes="a\r\n\tb").status_code == 201
