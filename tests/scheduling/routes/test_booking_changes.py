"""Move bookings, cancel them, restore them."""

import pytest
from flask.testing import FlaskClient

from tests.client import Client
from tests.people import time_on
from tests.scheduling.answers import NOWHERE, assert_refused, emails_to, nothing_written, rows, without_request_id
from tests.scheduling.diary import YESTERDAY, as_text, at, cancelled, move_to_the_past, slot

# Changing


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "Retrospective"},
        {"start": (1, 8)},
        {"end": (1, 12)},
        {"start": (9, 8), "end": (9, 9)},
        {"title": "All", "start": (9, 8), "end": (9, 9)},
        {"start_time": (1, 8), "end_time": (1, 9)},
    ],
    ids=str,
)
def test_title_start_and_end_change_alone_or_together(people, changes):
    booking = people.alice.booking()
    path = f"/bookings/{booking['id']}"
    changes = at(changes)
    answer = people.alice.patch(path, changes)
    assert answer.status_code == 200
    assert answer.json.keys() == {"message", "booking", "conflicts"}
    after = answer.json["booking"]
    names = {"start": "start_time", "end": "end_time"}
    expected = booking | {names.get(name, name): value for name, value in changes.items()}
    assert after["updated_at"] > booking["updated_at"]
    assert after == expected | {"version": 2, "updated_at": after["updated_at"]}
    assert people.alice.get(path).json == after


def test_change_of_a_booking_tells_nobody(people, database):
    booking = people.alice.booking()
    before = rows(database, "SELECT id FROM emails UNION ALL SELECT id FROM notifications")
    people.alice.patch(f"/bookings/{booking['id']}", {"title": "New"})
    assert rows(database, "SELECT id FROM emails UNION ALL SELECT id FROM notifications") == before


@pytest.mark.parametrize(
    "body", [None, {}, {"status": "cancelled"}, {"exclusive": True}, {"user_id": 1, "version": 9, "id": 1}]
)
def test_change_needs_a_known_field(people, database, body):
    booking = people.alice.booking()
    with nothing_written(database):
        answer = people.alice.patch(f"/bookings/{booking['id']}", body)
        assert_refused(answer, 400, "validation_error", "")


@pytest.mark.parametrize("field", ["title", "start", "end"])
@pytest.mark.parametrize("value", [None, "", 1, True, [], {}])
def test_change_refuses_what_is_no_title_or_time(people, database, field, value):
    booking = people.alice.booking()
    with nothing_written(database):
        answer = people.alice.patch(f"/bookings/{booking['id']}", {"title": "New"} | {field: value})
        assert_refused(answer, 400, "validation_error", f"/{field}")


def test_change_ignores_what_nobody_may_assign(people):
    booking = people.alice.booking()
    answer = people.alice.patch(
        f"/bookings/{booking['id']}",
        {"title": "New", "status": "cancelled", "user_id": people.bob.id, "exclusive": True, "version": 9},
    )
    after = answer.json["booking"]
    assert after == booking | {"title": "New", "version": 2, "updated_at": after["updated_at"]}


@pytest.mark.parametrize(
    "changes",
    [
        {"start": (1, 10)},
        {"start": (2, 9)},
        {"end": (1, 9)},
        {"end": (1, 8)},
        {"end": (400, 9)},
        {"start": (2, 9), "end": (2, 9)},
        {"start": (2, 9), "end": (369, 9)},
    ],
    ids=str,
)
def test_merged_booking_is_validated_and_not_the_fragment(people, database, changes):
    booking = people.alice.booking()
    with nothing_written(database):
        answer = people.alice.patch(f"/bookings/{booking['id']}", {"title": "New"} | at(changes))
        assert_refused(answer, 400, "validation_error", "/end")


def test_booking_cannot_be_moved_into_the_past(people, database):
    booking = people.alice.booking()
    with nothing_written(database):
        answer = people.alice.patch(f"/bookings/{booking['id']}", {"start": as_text(time_on(YESTERDAY))})
        assert_refused(answer, 400, "validation_error", "/start")


def test_booking_that_has_begun_can_be_renamed_and_prolonged(people, database):
    booking = people.alice.booking()
    move_to_the_past(database, booking, hours=2)
    path = f"/bookings/{booking['id']}"
    assert people.alice.patch(path, {"title": "Longer than planned"}).status_code == 200
    assert people.alice.patch(path, {"end": as_text(time_on(2))}).status_code == 200


def test_cancelled_booking_cannot_be_changed(people, database):
    booking = cancelled(people.alice)
    with nothing_written(database):
        answer = people.alice.patch(f"/bookings/{booking['id']}", {"title": "New"})
        assert_refused(answer, 409, "booking_cancelled")


# Cancelling


def test_cancellation_keeps_the_booking(people):
    booking = people.alice.booking()
    path = f"/bookings/{booking['id']}"
    answer = people.alice.delete(path)
    assert answer.status_code == 200
    assert answer.json.keys() == {"message", "booking"}
    after = answer.json["booking"]
    assert after == booking | {"status": "cancelled", "version": 2, "updated_at": after["updated_at"]}
    assert people.alice.get(path).json == after


def test_cancellation_promises_a_mail_and_a_notification(people, database):
    booking = cancelled(people.alice)
    kind, data = emails_to(database, people.alice.email)[-1]
    assert kind == "BOOKING_CANCELLED"
    assert data.keys() == {"name", "booking_id", "title", "start_time", "end_time", "uid", "sequence"}
    assert (data["name"], data["booking_id"], data["title"]) == ("Alice", booking["id"], "Standup")
    assert rows(database, "SELECT booking_id FROM emails WHERE kind = 'BOOKING_CANCELLED'") == [
        {"booking_id": booking["id"]}
    ]
    newest = people.alice.get("/notifications").json[0]
    assert newest["type"] == "BOOKING_CANCELLED"
    assert newest["title"] == 'Booking "Standup" cancelled'
    assert newest["metadata"] == {"booking_id": booking["id"]}


def test_cancelled_booking_cannot_be_cancelled_again(people, database):
    booking = cancelled(people.alice)
    with nothing_written(database):
        again = people.alice.delete(f"/bookings/{booking['id']}")
        absent = people.alice.delete(f"/bookings/{NOWHERE}")
    assert_refused(again, 404, "not_found")
    assert without_request_id(again) == without_request_id(absent)


def test_booking_that_has_begun_can_be_cancelled(people, database):
    booking = people.alice.booking()
    move_to_the_past(database, booking)
    assert people.alice.delete(f"/bookings/{booking['id']}").status_code == 200


# Restoring


def test_restored_booking_is_confirmed_again(people):
    booking = cancelled(people.alice)
    answer = people.alice.post(f"/bookings/{booking['id']}/restore")
    assert answer.status_code == 200
    assert answer.json.keys() == {"message", "booking", "conflicts"}
    after = answer.json["booking"]
    assert after == booking | {"status": "confirmed", "version": 3, "updated_at": after["updated_at"]}
    assert answer.json["conflicts"] == []


def test_restored_booking_is_announced_like_a_new_one(people, database):
    booking = cancelled(people.alice)
    people.alice.post(f"/bookings/{booking['id']}/restore")
    mails = emails_to(database, people.alice.email)
    assert [kind for kind, _ in mails] == [
        "WELCOME",
        "BOOKING_CONFIRMATION",
        "BOOKING_CANCELLED",
        "BOOKING_CONFIRMATION",
    ]
    assert mails[3] == (mails[1][0], mails[1][1] | {"sequence": 2})
    notification = people.alice.get("/notifications").json[0]
    assert notification["type"] == "BOOKING_CONFIRMED"
    assert notification["title"] == 'Booking "Standup" confirmed'
    assert notification["metadata"] == {"booking_id": booking["id"]}


def test_confirmed_booking_cannot_be_restored(people, database):
    booking = people.alice.booking()
    with nothing_written(database):
        answer = people.alice.post(f"/bookings/{booking['id']}/restore")
        assert_refused(answer, 409, "booking_not_cancelled")


def test_booking_in_the_past_cannot_be_restored(people, database):
    booking = cancelled(people.alice)
    move_to_the_past(database, booking)
    with nothing_written(database):
        assert_refused(people.alice.post(f"/bookings/{booking['id']}/restore"), 400, "validation_error")


# All or nothing


@pytest.mark.parametrize(
    ("table", "kind"), [("emails", "kind LIKE 'BOOKING%'"), ("notifications", "type LIKE 'BOOKING%'")]
)
def test_nothing_is_booked_or_cancelled_when_nobody_can_be_told(app, people, database, table, kind):
    booking = people.alice.booking()
    unjudged = Client(FlaskClient(app, app.response_class), people.alice.token)
    rows(database, f"ALTER TABLE {table} ADD CONSTRAINT broken CHECK (NOT {kind}) NOT VALID")
    try:
        with nothing_written(database):
            assert_refused(unjudged.post("/bookings", slot()), 500, "internal_error")
            assert_refused(unjudged.delete(f"/bookings/{booking['id']}"), 500, "internal_error")
    finally:
        rows(database, f"ALTER TABLE {table} DROP CONSTRAINT broken")
