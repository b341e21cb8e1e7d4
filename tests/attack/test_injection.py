"""Words that would like to be more than words: SQL, lines of the log, fields that are not the client's."""

import json
from time import monotonic

import orjson
import pytest

from tests.attack.operations import OPERATIONS
from tests.attack.wire import Wire, head
from tests.databases import ask
from tests.people import PASSWORD, time_on
from tests.scheduling.answers import assert_refused, nothing_written
from tests.scheduling.appointments.guests import book
from tests.stack import running
from tests.waiting import eventually

WORDS = [
    "'; DROP TABLE users; --",
    "' OR '1'='1",
    "') UNION SELECT password_hash FROM users --",
    "'||(SELECT pg_sleep(5))||'",
    "\\'; SELECT pg_sleep(5); --",
    "$$; SELECT pg_sleep(5); $$",
    "%(user_id)s :user_id %s",
    "{0.__class__} ${7*7} {{7*7}}",
    "%' --",
    "_",
]


@pytest.mark.parametrize("words", WORDS)
def test_sql_is_kept_and_found_as_the_words_it_is(people, client, words):
    began = monotonic()
    booking = people.alice.booking(words, day=3)
    assert people.alice.get(f"/bookings/{booking['id']}").json["title"] == words
    assert people.alice.patch(f"/bookings/{booking['id']}", {"title": words * 2}).json["booking"]["title"] == words * 2
    assert people.alice.patch("/users/me", {"name": words}).json["user"]["name"] == words
    team = people.alice.organization(words, people.bob)
    assert people.bob.get(f"/organizations/{team}").json["name"] == words
    assert people.alice.post("/analytics/event", {"eventType": words, "metadata": {words: words}}).status_code == 201
    client.post("/analytics/event", {"eventType": "another"})
    (event,) = people.admin.get("/analytics/events", query_string={"type": words}).json
    assert (event["event_type"], event["metadata"]) == (words, {words: words})
    assert monotonic() - began < 5


@pytest.mark.parametrize("words", WORDS)
def test_sql_in_a_parameter_finds_nothing_and_takes_no_time(people, database, words):
    people.admin.booking(day=3)
    people.admin.post("/analytics/event", {"eventType": "x"})
    began = monotonic()
    with nothing_written(database):
        for operation in OPERATIONS:
            for name in operation.query:
                answer = people.admin.get(f"/{operation.url({})}", query_string={name: words})
                # A type of events is any text; this one has none.
                assert answer.status_code in (400, 404) or (name == "type" and answer.json == [])
    assert monotonic() - began < 5


@pytest.mark.parametrize(
    ("path", "parameters"),
    [(each.path, name) for each in OPERATIONS for name in each.query],
)
def test_parameter_that_is_given_twice_is_refused(people, path, parameters):
    for values in (("1", "2"), ("1", "1"), ("", "")):
        answer = people.admin.get(f"/{path}", query_string="&".join(f"{parameters}={value}" for value in values))
        assert_refused(answer, 400, "validation_error", f"?{parameters}")


@pytest.mark.parametrize("query", ["limit[]=1", "limit%00=1", "limit=1;limit=500", "LIMIT=1", "limit =1", "&&&=&=1"])
def test_parameter_that_only_looks_like_one_is_none(people, query):
    for _ in range(2):
        people.alice.booking(day=3)
    answer = people.alice.get("/bookings", query_string=query)
    assert answer.status_code == 400 or len(answer.json) == 2


SPELLINGS = [
    (
        "POST",
        "/bookings",
        {"title": "x", "start": time_on(3, 9).isoformat(), "end": time_on(3, 10).isoformat()},
        "start",
    ),
    ("POST", "/bookings", {"title": "x", "start": time_on(3, 9).isoformat(), "end": time_on(3, 10).isoformat()}, "end"),
    ("PATCH", "/users/me/password", {"currentPassword": PASSWORD, "newPassword": "another horse"}, "newPassword"),
    ("PATCH", "/users/me/password", {"currentPassword": PASSWORD, "newPassword": "another horse"}, "currentPassword"),
    ("POST", "/analytics/event", {"eventType": "x"}, "eventType"),
]
OTHER = {
    "start": "start_time",
    "end": "end_time",
    "newPassword": "new_password",
    "currentPassword": "current_password",
    "eventType": "event_type",
}


@pytest.mark.parametrize(("method", "path", "body", "field"), SPELLINGS)
def test_field_that_is_given_twice_is_refused_however_it_is_spelled(people, database, method, path, body, field):
    assert people.alice.id
    text = json.dumps(body)[:-1]
    twice = (
        json.dumps(body | {OTHER[field]: body[field]}),
        f"{text}, {json.dumps(field)}: {json.dumps(body[field])}}}",
        f'{text}, "\\u{ord(field[0]):04x}{field[1:]}": {json.dumps(body[field])}}}',
        json.dumps({name: value for name, value in body.items() if name != field} | {OTHER[field]: None, field: "x"}),
    )
    with nothing_written(database):
        for sent in twice:
            answer = people.alice.send(method, path, data=sent, content_type="application/json")
            assert answer.status_code == 400, sent


OURS = {
    "id": 1,
    "user_id": 1,
    "owner_id": 1,
    "role": "admin",
    "is_admin": True,
    "status": "cancelled",
    "version": 99,
    "is_read": True,
    "created_at": "2000-01-01T00:00:00Z",
    "updated_at": "2000-01-01T00:00:00Z",
    "password_hash": "x",
    "password_scheme": "bcrypt",
    "tokens_valid_from": "2000-01-01T00:00:00Z",
    "email_id": 1,
    "request_id": "mine",
    "__class__": {},
    "conflicts": [1],
}


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.fields], ids=str)
def test_field_that_is_not_the_clients_changes_nothing(people, database, operation):
    def written(extra):
        people.alice  # noqa: B018  registers
        team, booking = people.alice.organization("Team"), people.alice.booking(day=4)
        link = people.alice.event_type_uid()
        appointment = book(people.alice, link, time_on(5, 10)).json
        url = operation.url(
            {
                "organization_id": team,
                "booking_id": booking["id"],
                "schedule_id": people.alice.schedule()["id"],
                "event_type_uid": link,
                "booking_uid": appointment["booking"]["uid"],
            }
        )
        mine = operation.body() | ({"email": people.bob.email} if operation.path.endswith("/members") else {})
        # A role is the client's to give to a member, and only there.
        extra = {name: value for name, value in extra.items() if name not in operation.fields}
        token = appointment["manage_token"] if "booking_uid" in operation.path_names else people.alice.token
        headers = {"Authorization": f"Bearer {token}"}
        answer = people.alice.send(operation.method, f"/{url}", extra | mine, headers=headers)
        ids = (
            "id",
            "user_id",
            "owner_id",
            "organization_id",
            "status",
            "role",
            "version",
            "is_read",
            "password_scheme",
        )
        rows = [
            {name: type(value) if name.endswith("id") else value for name, value in row.items() if name in ids}
            for table in (
                "users",
                "bookings",
                "schedules",
                "event_types",
                "organizations",
                "organization_members",
                "notifications",
            )
            for row in ask(database, f"SELECT * FROM {table} ORDER BY id")
        ]
        return answer.status_code, rows

    plain = written({})
    for table in ("notifications", "bookings", "organizations", "users"):
        ask(database, f"DELETE FROM {table}")
    for name in ("alice", "bob"):
        people.__dict__.pop(name, None)
    assert written(OURS) == plain


def requests_of(stack):
    return [line for line in stack.web.lines if line["event"] == "request"]


def test_log_has_one_line_for_a_request_whatever_it_says(tmp_path, database_url, redis_url):
    forged = '"}\\n{"event":"forged","level":"error"}'
    heads = [
        head("GET", "/api/v1/%0a%7B%22event%22:%22forged%22%7D%0d%0a", "Connection: close"),
        head("GET", "/%1b%5b2J%E2%80%A8forged%C2%85", "Connection: close"),
        head("GET", "/health", f"X-Request-ID: {forged}", "Connection: close"),
        head("GET", "/health", f"User-Agent: {forged}", f"Referer: {forged}", "Connection: close"),
        head("GET", "/api/v1/bookings", f"Authorization: Bearer {forged}", "Connection: close"),
        head("GET", "/api/v1/bookings?cursor=%0a{forged}", "Connection: close"),
    ]
    with running(tmp_path, database_url=database_url, redis_url=redis_url, names=("web",)) as stack:
        # A line is written after the answer.
        eventually(lambda: requests_of(stack), saying=stack.words)
        before = len(requests_of(stack))
        for each in heads:
            assert Wire(stack.url).send(each).answers()
        eventually(lambda: len(requests_of(stack)) == before + len(heads), saying=stack.words)
        lines = stack.web.output.splitlines()
    # Whoever reads lines reads objects, each of which is a request of ours or gunicorn's own.
    assert not any("\x1b" in line or "\u2028" in line for line in lines)
    events = [orjson.loads(line)["event"] for line in lines]
    assert not any("forged" in event for event in events)
