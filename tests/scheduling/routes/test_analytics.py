"""Log events and see what they add up to."""

import json

import pytest

from tests.client import Client
from tests.scheduling.answers import assert_refused, nothing_written, rows

EVENT = {"id", "user_id", "event_type", "metadata", "created_at", "user_name", "user_email"}
BREAKDOWN = {"event_type", "count", "unique_users", "first_event", "last_event"}


def log(person, event_type="page_view", **more):
    return person.post("/analytics/event", {"eventType": event_type} | more)


def grow_older(database, days):
    rows(database, "UPDATE analytics_events SET created_at = created_at - make_interval(days => %s)", days)


def test_event_of_who_is_signed_in_bears_the_user(people):
    answer = log(people.alice, metadata={"path": "/pricing"})
    assert answer.status_code == 201
    assert answer.json.keys() == {"message", "event"}
    assert answer.json["event"].keys() == {"id", "event_type"}
    assert answer.json["event"]["event_type"] == "page_view"
    (event,) = people.admin.get("/analytics/events").json
    assert event.keys() == EVENT
    assert {name: event[name] for name in EVENT - {"created_at"}} == {
        "id": answer.json["event"]["id"],
        "user_id": people.alice.id,
        "event_type": "page_view",
        "metadata": {"path": "/pricing"},
        "user_name": "Alice",
        "user_email": people.alice.email,
    }


def test_event_without_a_token_is_anonymous(client, people):
    assert log(client).status_code == 201
    (event,) = people.admin.get("/analytics/events").json
    assert (event["user_id"], event["user_name"], event["user_email"]) == (None, None, None)
    assert event["metadata"] == {}


@pytest.mark.parametrize("header", ["Bearer x", "Bearer", "", "Basic YWxpY2U6eA==", "Bearer a.b.c", "{token}"])
def test_event_with_a_token_that_does_not_count_is_anonymous(client, people, header):
    header = header.format(token=people.alice.token)
    assert client.post("/analytics/event", {"eventType": "x"}, headers={"Authorization": header}).status_code == 201
    assert people.admin.get("/analytics/events").json[0]["user_id"] is None


def test_event_with_a_revoked_token_is_anonymous(people):
    people.alice.post("/auth/revoke")
    assert log(people.alice).status_code == 201
    assert people.admin.get("/analytics/events").json[0]["user_id"] is None


def test_event_type_may_be_spelled_as_in_answers(client):
    assert client.post("/analytics/event", {"event_type": "x"}).json["event"]["event_type"] == "x"


def test_two_spellings_of_the_type_are_refused(client, database):
    with nothing_written(database):
        assert_refused(log_both(client), 400, "validation_error", "/event_type")


def log_both(client):
    return client.post("/analytics/event", {"eventType": "x", "event_type": "x"})


@pytest.mark.parametrize("value", ["missing", None, "", " ", 1, True, [], {}, "x" * 101, "a\nb"])
def test_type_is_one_line_of_1_to_100_characters(client, database, value):
    body = {} if value == "missing" else {"eventType": value}
    with nothing_written(database):
        assert_refused(client.post("/analytics/event", body), 400, "validation_error", "/eventType")


@pytest.mark.parametrize("value", [None, "", "{}", 1, True, [], [{}]])
def test_metadata_is_an_object(client, database, value):
    with nothing_written(database):
        assert_refused(log(client, metadata=value), 400, "validation_error", "/metadata")


@pytest.mark.parametrize(("characters", "status"), [(8 * 1024 - 8, 201), (8 * 1024 - 7, 400)])
def test_metadata_has_at_most_8_kib(client, characters, status):
    metadata = {"a": "x" * characters}
    assert len(json.dumps(metadata, separators=(",", ":"))) == characters + 8
    assert log(client, metadata=metadata).status_code == status


def test_metadata_comes_back_as_it_was(people, client):
    metadata = {
        "a": [1, -1, 2.5, True, None, "é😀\u2028", {"b": {}}],
        "": "",
        "'; --": "%s",
        "n": 2**63 - 1,
        "m": -(2**63),
    }
    assert log(client, metadata=metadata).status_code == 201
    assert people.admin.get("/analytics/events").json[0]["metadata"] == metadata


@pytest.mark.parametrize("number", ["1e19", "-1e19", "1e20", "1e300", "-1.5e200", "1.5e-300", "0.1", "-0.0", "1e-999"])
def test_number_that_was_accepted_can_be_read(client, people, number):
    body = f'{{"eventType": "x", "metadata": {{"n": {number}}}}}'
    answer = client.post("/analytics/event", data=body, content_type="application/json")
    assert answer.status_code == 201
    events = people.admin.get("/analytics/events")
    assert events.status_code == 200
    assert events.json[0]["metadata"]["n"] == float(number)


def test_what_nobody_may_assign_is_ignored(people, client):
    log(client, user_id=people.alice.id, id=7, created_at="2000-01-01T00:00:00Z", userId=people.alice.id)
    (event,) = people.admin.get("/analytics/events").json
    assert event["user_id"] is None
    assert event["created_at"] > "2026"


def test_dashboard_of_nothing_is_empty(people):
    answer = people.alice.get("/analytics/dashboard")
    assert answer.status_code == 200
    assert answer.json == {
        "period": "Last 30 days",
        "overview": {"total_events": 0, "unique_users": 0, "event_types": 0},
        "breakdown": [],
    }


def test_dashboard_counts_events_and_people_by_type(people, client):
    for person, event_type in [
        (people.alice, "page_view"),
        (people.alice, "page_view"),
        (people.bob, "page_view"),
        (client, "page_view"),
        (people.alice, "click"),
        (client, "click"),
        (client, "visit"),
    ]:
        log(person, event_type)
    dashboard = people.carol.get("/analytics/dashboard").json
    assert dashboard["overview"] == {"total_events": 7, "unique_users": 2, "event_types": 3}
    assert [(row["event_type"], row["count"], row["unique_users"]) for row in dashboard["breakdown"]] == [
        ("page_view", 4, 2),
        ("click", 2, 1),
        ("visit", 1, 0),
    ]
    assert all(row.keys() == BREAKDOWN for row in dashboard["breakdown"])
    first = dashboard["breakdown"][0]
    assert first["first_event"] < first["last_event"]
    assert first["last_event"].endswith("Z")


def test_dashboard_looks_back_as_far_as_asked(people, client, database):
    log(client, "old")
    grow_older(database, 40)
    log(client, "new")
    for query, types in (
        ("", ["new"]),
        ("?days=39", ["new"]),
        ("?days=41", ["new", "old"]),
        ("?days=366", ["new", "old"]),
    ):
        dashboard = people.alice.get(f"/analytics/dashboard{query}").json
        assert [row["event_type"] for row in dashboard["breakdown"]] == types
        assert dashboard["overview"]["total_events"] == len(types)


@pytest.mark.parametrize("days", [1, 30, 366])
def test_dashboard_names_its_period(people, days):
    assert people.alice.get(f"/analytics/dashboard?days={days}").json["period"] == f"Last {days} days"


@pytest.mark.parametrize("days", ["0", "367", "-1", "1.5", "x", "", "1e2", "10000000", "%C2%B2", "٣", "1&days=2", " 1"])
def test_dashboard_refuses_days_that_are_none(people, days):
    assert_refused(people.alice.get(f"/analytics/dashboard?days={days}"), 400, "validation_error", "?days")


def test_events_are_listed_newest_first(people, client):
    expected = [log(client, event_type).json["event"]["id"] for event_type in "abc"]
    assert [event["id"] for event in people.admin.get("/analytics/events").json] == expected[::-1]


def test_events_of_one_type(people, client):
    wanted = log(client, "a b&c").json["event"]["id"]
    log(client, "other")
    answer = people.admin.get("/analytics/events", query_string={"type": "a b&c"})
    assert [event["id"] for event in answer.json] == [wanted]
    assert people.admin.get("/analytics/events?type=%25").json == []


def test_events_of_who_was_removed_stay_without_a_name(people, database):
    log(people.alice)
    rows(database, "DELETE FROM users WHERE id = %s", people.alice.id)
    (event,) = people.admin.get("/analytics/events").json
    assert (event["user_id"], event["user_name"], event["user_email"]) == (None, None, None)


@pytest.mark.parametrize(
    ("query", "fault"),
    [("limit=0", "?limit"), ("limit=501", "?limit"), ("type=a&type=b", "?type"), ("cursor=x", "?cursor")],
)
def test_events_refuse_parameters_that_are_none(people, query, fault):
    assert_refused(people.admin.get(f"/analytics/events?{query}"), 400, "validation_error", fault)


def test_events_are_for_admins(people):
    assert_refused(people.alice.get("/analytics/events"), 403, "forbidden")


@pytest.mark.parametrize("path", ["/dashboard", "/events"])
def test_token_is_required(client: Client, path):
    assert_refused(client.get(f"/analytics{path}"), 401, "unauthorized")
