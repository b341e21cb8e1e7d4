"""Every route that can be repeated, sent twice: by whom, with which token, one after the other or at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from scheduling.policies.idempotency import is_idempotent
from tests.access import access_of_features
from tests.client import PREFIX, Client
from tests.people import time_on
from tests.scheduling.answers import nothing_written, rows
from tests.scheduling.appointments.guests import GUEST, hold, text
from tests.waiting import eventually

KEY = {"Idempotency-Key": "7f9c2ba4-e88f-827d-6160-4507605853ed"}
START = text(time_on(3, 10))
TOKENS = ("none", "valid", "revoked", "malformed")
MODES = ("one", "any", "all")
REFUSED = {"one": "slot_taken", "any": "already_booked", "all": "slot_taken"}
MAILS = {"one": 2, "any": 2, "all": 3}

# What each route is sent: a path and a body.
REQUESTS = {
    "/bookings": lambda people: ("/bookings", {"title": "x", "start": START, "end": text(time_on(3, 11))}),
    "/bookings/<id:booking_id>/restore": lambda people: (f"/bookings/{cancelled(people.alice)}/restore", None),
    "/schedules": lambda people: ("/schedules", {"name": "Office", "time_zone": "UTC", "rules": []}),
    "/event-types": lambda people: ("/event-types", {"title": "Talk", "duration_minutes": 30}),
    "/event-types/<uid:event_type_uid>/holds": lambda people: (
        f"/event-types/{people.alice.event_type_uid()}/holds",
        {"start": START},
    ),
    "/event-types/<uid:event_type_uid>/bookings": lambda people: (
        f"/event-types/{people.alice.event_type_uid()}/bookings",
        GUEST | {"start": START},
    ),
    "/availability/find": lambda people: (
        "/availability/find",
        {
            "organization_id": people.alice.organization(),
            "duration_minutes": 30,
            "from": START,
            "to": text(time_on(4, 10)),
        },
    ),
    "/organizations": lambda people: ("/organizations", {"name": "Acme"}),
    "/organizations/<id:organization_id>/members": lambda people: (
        f"/organizations/{people.alice.organization()}/members",
        {"email": people.bob.email},
    ),
    "/analytics/event": lambda people: ("/analytics/event", {"eventType": "x"}),
}
# What the tests of features describe for the access matrix; without ids in the path it can be sent as it is.
REQUESTS |= {
    path: lambda _people, path=path, body=calls[0].body: (path, body)
    for method, path, calls in ((*route.split(" "), calls) for route, calls in access_of_features().items())
    if method == "POST" and "<" not in path
}
OF_GUESTS = {route for route in REQUESTS if route.startswith("/event-types/<")} | {"/analytics/event"}


def cancelled(person):
    booking = person.booking()
    assert person.delete(f"/bookings/{booking['id']}").status_code == 200
    return booking["id"]


def headers_with(token, people):
    """Return the headers of a request with a token of a kind, which counts no longer when it is revoked."""
    if token == "none":
        return {}
    if token == "malformed":
        return {"Authorization": "Bearer no.such.token"}
    if token == "revoked":
        assert people.alice.post("/auth/revoke").status_code == 200
    return {"Authorization": f"Bearer {people.alice.token}"}


def in_turn(app, path, body, headers):
    return [Client(app.test_client()).post(path, body, headers=headers) for _ in range(2)]


def at_once(app, path, body, headers):
    """Send it twice at once, and again what was too early."""

    def send(_):
        answers = []

        def settled():
            answers.append(Client(app.test_client()).post(path, body, headers=headers))
            return answers[-1].json.get("code") != "idempotency_in_progress"

        eventually(settled, within=10)
        return answers[-1]

    with ThreadPoolExecutor(2) as threads:
        # Whoever was first has done the work.
        return sorted(threads.map(send, range(2)), key=lambda answer: (answer.status_code, is_replay(answer)))


def is_replay(answer):
    return "Idempotency-Replayed" in answer.headers


def assert_repeated(first, again):
    """Hold a repetition against the first answer."""
    assert (first.status_code, is_replay(first)) == (again.status_code, False), (first.text, again.text)
    assert is_replay(again)
    assert again.data == first.data
    for name in ("Content-Type", "ETag", "Location"):
        assert again.headers.get(name) == first.headers.get(name)


def booked(database):
    """Return the uids of guests' bookings."""
    return [row["uid"] for row in rows(database, "SELECT uid FROM appointments")]


def told(database):
    """Return how many mails told of a booking."""
    return rows(database, "SELECT count(*) FROM emails WHERE kind = 'APPOINTMENT_CONFIRMED'")[0]["count"]


def test_every_post_outside_of_auth_can_be_repeated_and_stands_here(app):
    posts = {
        rule.rule.removeprefix(PREFIX): is_idempotent(app.view_functions[rule.endpoint])
        for rule in app.url_map.iter_rules()
        if "POST" in rule.methods and "/auth/" not in rule.rule
    }
    for path, is_repeatable in posts.items():
        assert is_repeatable, f"Put @idempotent of scheduling/policies/idempotency.py below the policy of POST {path}"
        assert path in REQUESTS, (
            f'Write "POST {path}" with a valid body into ACCESS of the test of its feature, or, when its path has ids, '
            "into REQUESTS of tests/scheduling/routes/test_repeats.py"
        )
    assert not REQUESTS.keys() - posts.keys(), "Take out of REQUESTS what is no route any more"


@pytest.mark.parametrize("send", [in_turn, at_once])
@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("route", REQUESTS)
def test_request_under_a_key_has_one_effect_or_none(app, people, database, route, token, send):
    path, body = REQUESTS[route](people)
    headers = headers_with(token, people) | KEY
    if token == "valid" or (token == "none" and route in OF_GUESTS):
        first, again = send(app, path, body, headers)
        assert first.status_code in (200, 201)
        assert_repeated(first, again)
        with nothing_written(database):
            assert_repeated(first, Client(app.test_client()).post(path, body, headers=headers))
    else:
        with nothing_written(database):
            assert [answer.status_code for answer in send(app, path, body, headers)] == [401, 401]


@pytest.fixture
def link(people, request):
    """Offer one host, either of two, or both."""
    mode = request.param
    team = people.alice.organization("Acme", people.bob)
    hosts = [people.alice.id] if mode == "one" else [people.alice.id, people.bob.id]
    return people.alice.event_type_uid(organization_id=team, hosts=hosts, assignment=mode)


@pytest.mark.parametrize("send", [in_turn, at_once])
@pytest.mark.parametrize("by", ["hold", "key", "both", "neither"])
@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize(("link", "mode"), [(mode, mode) for mode in MODES], indirect=["link"])
def test_guest_who_repeats_books_once(app, client, people, database, link, mode, token, by, send):
    body, headers = GUEST | {"start": START}, headers_with(token, people)
    if by in ("hold", "both"):
        body |= {"hold": hold(client, link, time_on(3, 10)).json["hold"]}
    if by in ("key", "both"):
        headers |= KEY
    first, again = send(app, f"/event-types/{link}/bookings", body, headers)
    if headers.keys() >= {"Authorization", "Idempotency-Key"} and token != "valid":
        assert [(answer.status_code, answer.json["code"]) for answer in (first, again)] == [(401, "token_invalid")] * 2
        assert (booked(database), told(database)) == ([], 0)
        return
    assert first.status_code == 201, first.text
    if by == "neither":
        assert (again.status_code, again.json["code"]) == (409, REFUSED[mode])
        assert first.json["manage_token"] not in again.text
    else:
        assert_repeated(first, again)
    assert told(database) == MAILS[mode]
    assert booked(database) == [first.json["booking"]["uid"]]
