"""Book times and look at them."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.people import time_on
from tests.scheduling.answers import NOWHERE, assert_refused, emails_to, nothing_written, rows, without_request_id
from tests.scheduling.diary import BOOKING, YESTERDAY, as_text, cancelled, ids, slot

# Booking a time


def test_booking_is_answered_as_it_is_stored(people):
    answer = people.alice.post("/bookings", slot())
    assert answer.status_code == 201
    assert answer.json.keys() == {"message", "booking", "conflicts"}
    booking = answer.json["booking"]
    assert booking.keys() == BOOKING
    assert booking["created_at"] == booking["updated_at"]
    assert {name: booking[name] for name in BOOKING - {"id", "created_at", "updated_at"}} == {
        "user_id": people.alice.id,
        "title": "Standup",
        "start_time": as_text(time_on(1, 9)),
        "end_time": as_text(time_on(1, 10)),
        "status": "confirmed",
        "exclusive": False,
        "version": 1,
        "hosts": [people.alice.id],
        **dict.fromkeys(("uid", "event_type_uid", "guest", "assignment")),
    }
    assert answer.json["conflicts"] == []
    assert people.alice.get(f"/bookings/{booking['id']}").json == booking


def test_booking_promises_a_mail_and_a_notification(people, database):
    alice = people.alice
    booking = alice.post("/bookings", slot(), headers={"X-Request-ID": "a-request"}).json["booking"]
    _, (kind, data) = emails_to(database, alice.email)
    assert kind == "BOOKING_CONFIRMATION"
    assert data.keys() == {"name", "booking_id", "title", "start_time", "end_time", "uid", "sequence"}
    assert (data["name"], data["booking_id"], data["title"]) == ("Alice", booking["id"], "Standup")
    assert datetime.fromisoformat(data["start_time"]) == time_on(1, 9)
    assert datetime.fromisoformat(data["end_time"]) == time_on(1, 10)
    (email,) = rows(database, "SELECT booking_id, status, request_id FROM emails WHERE kind = 'BOOKING_CONFIRMATION'")
    assert email == {"booking_id": booking["id"], "status": "pending", "request_id": "a-request"}
    (notification,) = alice.get("/notifications").json
    assert notification["type"] == "BOOKING_CONFIRMED"
    assert notification["title"] == 'Booking "Standup" confirmed'
    assert notification["metadata"] == {"booking_id": booking["id"]}
    assert notification["is_read"] is False


def test_booking_mail_and_notification_belong_to_one_transaction(people, database):
    people.alice.booking()
    times = rows(
        database,
        "SELECT created_at FROM bookings UNION SELECT created_at FROM notifications "
        "UNION SELECT created_at FROM emails WHERE kind <> 'WELCOME'",
    )
    assert len(times) == 1


def test_times_are_answered_in_utc(people):
    answer = people.alice.post(
        "/bookings", {"title": "T", "start": "2031-01-01T01:30:00.1234567+02:30", "end": "2031-01-01t00:00:00z"}
    )
    booking = answer.json["booking"]
    assert (booking["start_time"], booking["end_time"]) == ("2030-12-31T23:00:00.123456Z", "2031-01-01T00:00:00Z")


@pytest.mark.parametrize(
    "names", [("start_time", "end_time"), ("start", "end_time"), ("start_time", "end")], ids=" and ".join
)
def test_times_may_be_spelled_as_in_answers(people, names):
    body = slot()
    body[names[0]], body[names[1]] = body.pop("start"), body.pop("end")
    assert people.alice.post("/bookings", body).status_code == 201


@pytest.mark.parametrize(("spelling", "documented"), [("start_time", "start"), ("end_time", "end")])
def test_two_spellings_of_one_time_are_refused(people, database, spelling, documented):
    body, alice = slot(), people.alice
    with nothing_written(database):
        answer = alice.post("/bookings", body | {spelling: body[documented]})
        assert_refused(answer, 400, "validation_error", f"/{spelling}")


@pytest.mark.parametrize("field", ["title", "start", "end"])
@pytest.mark.parametrize("value", ["missing", None, "", 1, 1.5, True, [], {}])
def test_booking_requires_title_start_and_end(people, database, field, value):
    body, alice = slot(), people.alice
    if value == "missing":
        del body[field]
    else:
        body[field] = value
    with nothing_written(database):
        assert_refused(alice.post("/bookings", body), 400, "validation_error", f"/{field}")


def test_every_invalid_field_is_named(people):
    answer = people.alice.post("/bookings", {"exclusive": 1})
    assert_refused(answer, 400, "validation_error", "/title", "/start", "/end", "/exclusive")


@pytest.mark.parametrize(
    ("title", "status"),
    [
        ("x", 201),
        ("x" * 255, 201),
        ("😀" * 255, 201),
        ("x" * 256, 400),
        (" ", 400),
        ("a\r\nBcc: b", 400),
        ("a\u2028b", 400),
    ],
)
def test_title_is_one_line_of_1_to_255_characters(people, title, status):
    answer = people.alice.book(title)
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    "title", ["<b>bold</b>", "'; DROP TABLE bookings; --", "%s %(id)s {x}", "\\", '"', "é😀\u200f"]
)
def test_title_is_kept_as_it_is(people, title):
    booking = people.alice.booking(title)
    assert people.alice.get(f"/bookings/{booking['id']}").json["title"] == title
    assert people.alice.get("/notifications").json[0]["title"] == f'Booking "{title}" confirmed'


@pytest.mark.parametrize("value", [None, "true", 0, 1, "", [], {}])
def test_exclusive_is_true_or_false(people, database, value):
    alice = people.alice
    with nothing_written(database):
        assert_refused(alice.book(exclusive=value), 400, "validation_error", "/exclusive")


@pytest.mark.parametrize("hours", [0, -1])
def test_end_must_be_after_the_start(people, database, hours):
    alice = people.alice
    with nothing_written(database):
        assert_refused(alice.book(hours=hours), 400, "validation_error", "/end")


def test_start_must_not_lie_in_the_past(people, database):
    alice = people.alice
    start = datetime.now(UTC) - timedelta(seconds=1)
    with nothing_written(database):
        assert_refused(alice.book(day=YESTERDAY), 400, "validation_error", "/start")
        body = slot() | {"start": start.isoformat()}
        assert_refused(alice.post("/bookings", body), 400, "validation_error", "/start")


@pytest.mark.parametrize(("more", "status"), [(timedelta(), 201), (timedelta(microseconds=1), 400)])
def test_booking_lasts_at_most_366_days(people, more, status):
    start = time_on(1)
    body = {"title": "Sabbatical", "start": as_text(start), "end": as_text(start + timedelta(days=366) + more)}
    answer = people.alice.post("/bookings", body)
    assert answer.status_code == status, answer.text


def test_instants_end_with_the_century(people):
    last = {"title": "New Year", "start": "2099-12-31T23:00:00Z", "end": "2099-12-31T23:59:59.999999Z"}
    assert people.alice.post("/bookings", last).status_code == 201
    answer = people.alice.post("/bookings", last | {"end": "2100-01-01T00:00:00Z"})
    assert_refused(answer, 400, "validation_error", "/end")


def test_what_nobody_may_assign_is_ignored(people):
    answer = people.alice.book(
        id=7, user_id=people.bob.id, status="cancelled", version=9, created_at="2000-01-01T00:00:00Z", conflicts=[1]
    )
    assert answer.status_code == 201
    booking = answer.json["booking"]
    assert (booking["user_id"], booking["status"], booking["version"]) == (people.alice.id, "confirmed", 1)
    assert people.bob.get("/bookings").json == []


# Looking


def test_list_holds_ones_own_bookings_latest_first(people):
    expected = [people.alice.booking(day=day)["id"] for day in (3, 1, 2)]
    people.bob.booking()
    answer = people.alice.get("/bookings")
    assert ids(answer) == [expected[0], expected[2], expected[1]]
    assert all(booking.keys() == BOOKING for booking in answer.json)


def test_list_of_one_status(people):
    confirmed, gone = people.alice.booking()["id"], cancelled(people.alice)["id"]
    assert ids(people.alice.get("/bookings?status=confirmed")) == [confirmed]
    assert ids(people.alice.get("/bookings?status=cancelled")) == [gone]
    assert sorted(ids(people.alice.get("/bookings"))) == sorted([confirmed, gone])


@pytest.mark.parametrize(
    ("window", "found"),
    [
        ((9, 10), True),
        ((8, 9), False),
        ((8, 10), True),
        ((11, 12), False),
        ((10, 12), True),
        ((0, 24), True),
        ((9, None), True),
        ((11, None), False),
        ((None, 9), False),
        ((None, 10), True),
    ],
)
def test_list_of_what_overlaps_a_window(people, window, found):
    booking = people.alice.booking(day=1, hour=9, hours=2)
    bounds = [
        f"{name}={as_text(time_on(1, hour))}"
        for name, hour in zip(("from", "to"), window, strict=True)
        if hour is not None
    ]
    assert ids(people.alice.get("/bookings?" + "&".join(bounds))) == [booking["id"]] * found


def test_window_finds_the_longest_booking_by_its_end(people):
    start = time_on(1)
    end = start + timedelta(days=366)
    people.alice.post("/bookings", {"title": "Long", "start": as_text(start), "end": as_text(end)})
    assert len(ids(people.alice.get(f"/bookings?from={as_text(end - timedelta(microseconds=1))}"))) == 1
    assert ids(people.alice.get(f"/bookings?from={as_text(end)}")) == []


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("status=open", "?status"),
        ("status=", "?status"),
        ("status=confirmed&status=cancelled", "?status"),
        ("from=tomorrow", "?from"),
        ("from=2030-01-01", "?from"),
        ("from=2030-01-01T00:00:00", "?from"),
        ("to=infinity", "?to"),
        ("from=2030-01-02T00:00:00Z&to=2030-01-01T00:00:00Z", "?to"),
        ("from=2030-01-01T00:00:00Z&to=2030-01-01T00:00:00Z", "?to"),
        ("limit=0", "?limit"),
    ],
)
def test_list_refuses_parameters_that_are_none(people, query, fault):
    assert_refused(people.alice.get(f"/bookings?{query}"), 400, "validation_error", fault)


def test_unknown_parameters_are_ignored(people):
    booking = people.alice.booking()
    people.bob.booking()
    assert ids(people.alice.get(f"/bookings?user_id={people.bob.id}&order=title&order=id")) == [booking["id"]]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("PATCH", "", {"title": "Mine"}),
        ("DELETE", "", None),
        ("POST", "/restore", None),
    ],
)
def test_booking_of_somebody_else_is_not_there(people, database, method, path, body):
    booking, carol = people.alice.booking(), people.carol
    with nothing_written(database):
        foreign = carol.send(method, f"/bookings/{booking['id']}{path}", body)
        absent = carol.send(method, f"/bookings/{NOWHERE}{path}", body)
    assert_refused(foreign, 404, "not_found")
    assert without_request_id(foreign) == without_request_id(absent)
    assert len(foreign.data) == len(absent.data)


def test_booking_of_somebody_else_is_not_there_for_an_admin_either(people):
    booking = people.alice.booking()
    assert_refused(people.admin.get(f"/bookings/{booking['id']}"), 404, "not_found")


@pytest.mark.parametrize("unknown", ["0", "-1", "x", "1.0", "1e3", str(2**63), "9" * 400, "%00", "٣", "null"])
@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/restore")])
def test_what_cannot_be_an_id_is_not_there(people, method, path, unknown):
    body = {"title": "x"} if method == "PATCH" else None
    answer = people.alice.send(method, f"/bookings/{unknown}{path}", body)
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", ""), ("GET", ""), ("GET", "/1"), ("PATCH", "/1"), ("DELETE", "/1"), ("POST", "/1/restore")],
)
def test_token_is_required(client, method, path):
    assert_refused(client.send(method, f"/bookings{path}"), 401, "unauthorized")
