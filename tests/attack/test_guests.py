"""Whoever has a link and means no good: guessed tokens, odd zones, times at the edge, too many holds."""

import json

import pytest

from tests.attack.ledger import share
from tests.attack.test_logins import LIMITS, address, assert_limited, serving, statuses
from tests.databases import ask
from tests.people import time_on
from tests.scheduling.answers import nothing_written
from tests.scheduling.appointments.guests import GUEST, book, hold, text

EDGES = [
    ("2000-01-01T00:00:00Z", "2000-03-03T00:00:00Z"),
    ("2000-01-01T00:00:00Z", "2000-01-01T00:00:00.000001Z"),
    ("2099-10-31T00:00:00Z", "2099-12-31T23:59:59.999999Z"),
    ("2099-12-31T23:59:59.999998Z", "2099-12-31T23:59:59.999999Z"),
]
BEYOND = [
    ("1999-12-31T23:59:59Z", "2000-01-02T00:00:00Z"),
    ("2099-12-31T00:00:00Z", "2100-01-01T00:00:00Z"),
    ("2000-01-01T00:00:00Z", "2099-12-31T00:00:00Z"),
    ("0001-01-01T00:00:00+23:59", "0001-01-02T00:00:00Z"),
    ("9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59-23:59"),
    ("-infinity", "infinity"),
]
NO_ZONES = [
    *("", " ", "utc\0", "Mars/Base", "../../../etc/passwd", "/etc/localtime", "localtime", "Factory", "posixrules"),
    *(
        "Europe",
        "Europe/",
        "europe/berlin\n",
        "Europe/Berlin ",
        "UTC+1",
        "\ud800",
        "GMT'; --",
        "x" * 5_000,
        "Etc/\u2028",
    ),
]
ZONES_AT_THE_EDGE = ["Etc/GMT-14", "Etc/GMT+12", "Pacific/Kiritimati", "Asia/Kathmandu", "Africa/Monrovia"]


@pytest.fixture
def link(people):
    return people.alice.event_type_uid()


@pytest.fixture
def booked(client, link):
    return [book(client, link, time_on(3, hour)).json for hour in (10, 12)]


def assert_refused(answer, status, code):
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.text


def send_json(client, path, body):
    """Send a body as JSON that may have lone surrogates."""
    return client.post(path, data=json.dumps(body), content_type="application/json")


def ask_as_guest(client, method, booking, token):
    path, headers = f"/guest/bookings/{booking['booking']['uid']}", {"Authorization": f"Bearer {token}"}
    body = {"start": text(time_on(4, 10))} if method == "PATCH" else None
    return client.send(method, path, body, headers=headers)


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_token_opens_its_own_booking_and_nothing_else(client, people, database, booked, method):
    one, other = booked
    token = one["manage_token"]
    guesses = [other["manage_token"], token[:-1], f"{token}=", f"{token}{token}", token.swapcase(), token[::-1], "null"]
    guesses += ["%00", "'; --", "A" * 43, "x" * 4_000, one["booking"]["uid"], people.alice.token]
    with nothing_written(database):
        for guess in guesses:
            assert_refused(ask_as_guest(client, method, one, guess), 404, "not_found")
        assert_refused(ask_as_guest(client, method, one, ""), 401, "unauthorized")
    assert ask_as_guest(client, method, one, token).status_code == 200


def test_refusal_is_the_same_for_a_booking_that_is_not_there(client, booked):
    one, other = booked
    unknown = {"booking": {"uid": "A" * 22}}
    answers = [ask_as_guest(client, "GET", each, other["manage_token"]).json for each in (one, unknown)]
    for answer in answers:
        del answer["request_id"]
    assert answers[0] == answers[1]


def test_token_is_kept_nowhere_but_in_the_mail_of_the_guest(database, booked):
    (token, _) = (each["manage_token"] for each in booked)
    tables = [row["tablename"] for row in ask(database, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    found = {
        table
        for table in tables
        if ask(database, f"SELECT 1 FROM {table} AS t WHERE t::text LIKE '%%' || %s || '%%'", token)
    }
    assert found == {"emails"}


@pytest.mark.parametrize(("start", "end"), EDGES)
def test_window_at_the_edge_of_time_is_empty(client, link, start, end):
    for zone in ZONES_AT_THE_EDGE:
        query = {"from": start, "to": end, "time_zone": zone}
        answer = client.get(f"/event-types/{link}/slots", query_string=query)
        assert (answer.status_code, answer.json) == (200, {"time_zone": zone, "days": []})


@pytest.mark.parametrize(("start", "end"), BEYOND)
def test_window_beyond_the_edge_of_time_is_refused(client, link, start, end):
    answer = client.get(f"/event-types/{link}/slots", query_string={"from": start, "to": end})
    assert_refused(answer, 400, "validation_error")


@pytest.mark.parametrize("start", sorted({moment for window in EDGES for moment in window}))
def test_start_at_the_edge_of_time_is_refused_and_explained(client, people, database, link, start):
    with nothing_written(database):
        for path, body in (("holds", {"start": start}), ("bookings", GUEST | {"start": start})):
            assert_refused(client.post(f"/event-types/{link}/{path}", body), 400, "not_bookable")
    answer = people.alice.get(f"/event-types/{link}/explain", query_string={"start": start})
    assert (answer.status_code, answer.json["bookable"]) == (200, False)


@pytest.mark.parametrize("start", EDGES[1] + EDGES[3])
def test_booking_is_not_moved_to_the_edge_of_time(client, people, database, booked, start):
    with nothing_written(database):
        headers = {"Authorization": f"Bearer {booked[0]['manage_token']}"}
        answer = client.patch(f"/guest/bookings/{booked[0]['booking']['uid']}", {"start": start}, headers=headers)
        assert_refused(answer, 400, "not_bookable")


@pytest.mark.parametrize("zone", NO_ZONES)
def test_zone_that_is_none_is_refused_by_every_route(client, people, database, link, zone):
    start, window = text(time_on(3, 10)), {"from": text(time_on(3, 0)), "to": text(time_on(4, 0)), "time_zone": zone}
    with nothing_written(database):
        booking = GUEST | {"start": start, "time_zone": zone}
        assert send_json(client, f"/event-types/{link}/bookings", booking).status_code == 400
        body = window | {"organization_id": 1, "duration_minutes": 30}
        assert send_json(people.alice, "/availability/find", body).status_code == 400
    if "\ud800" not in zone:
        assert client.get(f"/event-types/{link}/slots", query_string=window).status_code == 400


@pytest.mark.parametrize("notes", ["\0", "\ud800", "x" * 2_001, "😀" * 2_001, 7, ["x"], {"a": 1}, "x" * 70_000])
def test_notes_that_cannot_be_kept_are_refused(client, database, link, notes):
    with nothing_written(database):
        booking = GUEST | {"start": text(time_on(3, 10)), "notes": notes}
        assert send_json(client, f"/event-types/{link}/bookings", booking).status_code in (400, 413)


@pytest.mark.parametrize("notes", ["😀" * 2_000, "<script>\n{{7*7}}\r\n.\r\n", "\u202emoc.live", ""])
def test_notes_are_kept_as_they_are(client, people, link, notes):
    assert book(client, link, time_on(3, 10), notes=notes).status_code == 201
    assert people.alice.get("/bookings").json[0]["guest"]["notes"] == notes


def test_hold_of_another_link_is_none(client, people, database, link):
    held = hold(client, people.bob.event_type_uid(), time_on(3, 10)).json["hold"]
    assert hold(client, link, time_on(3, 10)).status_code == 201
    with nothing_written(database):
        assert_refused(book(client, link, time_on(3, 10), hold=held), 409, "slot_taken")


def test_guests_have_limits_of_their_own(tmp_path, database, database_url, redis_url):
    limits = {"RATE_LIMIT_GUESTS": "8 per minute", "RATE_LIMIT_SLOTS": "5 per minute", "HOLDS_PER_ADDRESS": 2}
    with serving(tmp_path, database_url, redis_url, TRUSTED_PROXIES=1, **LIMITS, **limits) as stack:
        link = stack.register("Alice").event_type_uid(slot_minutes=30)
        source, other = ({"X-Forwarded-For": address()} for _ in range(2))

        def hold_from(headers, hour):
            return stack.client.post(f"/event-types/{link}/holds", {"start": text(time_on(3, hour))}, headers=headers)

        def look_from(headers):
            window = {"from": text(time_on(3, 0)), "to": text(time_on(4, 0))}
            return stack.client.get(f"/event-types/{link}/slots", params=window, headers=headers)

        def guess_from(headers):
            token = {"Authorization": f"Bearer {'A' * 43}"}
            return stack.client.get(f"/guest/bookings/{'A' * 22}", headers=headers | token)

        assert statuses(hold_from(source, hour) for hour in (8, 9, 10)) == [201, 201, 429]
        assert hold_from(other, 10).status_code == 201
        # Guesses of tokens count, whether the booking is there or not.
        assert statuses(guess_from(source) for _ in range(5)) == [404] * 5
        assert_limited(guess_from(source), 8)
        assert_limited(hold_from(source, 11), 8)
        assert statuses(look_from(source) for _ in range(5)) == [200] * 5
        assert_limited(look_from(source), 5)
        assert look_from(other).status_code == 200


def test_guesses_of_a_token_find_nothing(client, booked):
    for number in range(share(0.02, short=100)):
        assert ask_as_guest(client, "GET", booked[0], f"{number:043x}").status_code == 404
