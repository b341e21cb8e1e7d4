"""An entry in one's own diary reaches one's calendar too, changes there, and leaves it."""

from uuid import UUID

import pytest

from tests.databases import ask
from tests.written_mails import deliver_all, event_of


@pytest.fixture
def told(database_url, tmp_path, people):
    """Return what alice's calendar was told of bookings, in order."""

    def tell():
        mails = deliver_all(database_url, tmp_path)
        return [event_of(mail) for mail in mails if mail["To"] == people.alice.email and "Booking" in mail["Subject"]]

    return tell


def test_entry_is_confirmed_cancelled_and_restored_under_one_uid(people, told):
    alice = people.alice
    booking = alice.booking("Dentist; bring, card", day=3)
    path = f"/bookings/{booking['id']}"
    assert alice.patch(path, {"title": "Dentist"}).status_code == 200
    assert alice.delete(path).status_code == 200
    assert alice.post(f"{path}/restore").status_code == 200
    events = told()
    assert [method for method, _ in events] == ["REQUEST", "CANCEL", "REQUEST"]
    assert [event["STATUS"] for _, event in events] == ["CONFIRMED", "CANCELLED", "CONFIRMED"]
    # A change in between, of which no mail tells, counts too.
    assert [event["SEQUENCE"] for _, event in events] == [0, 2, 3]
    assert [event["SUMMARY"] for _, event in events] == ["Dentist; bring, card", "Dentist", "Dentist"]
    (uid,) = {event["UID"] for _, event in events}
    assert UUID(uid.removesuffix("@scheduling"))
    for _, event in events:
        assert event["DTSTART"].dt.isoformat().replace("+00:00", "Z") == booking["start_time"]
        assert event["DTEND"].dt.isoformat().replace("+00:00", "Z") == booking["end_time"]
        assert (event["ORGANIZER"], event["ORGANIZER"].params) == ("mailto:noreply@example.com", {"CN": "Acme"})
        assert (event["ATTENDEE"], dict(event["ATTENDEE"].params)) == (
            f"mailto:{alice.email}",
            {"CN": "Alice", "PARTSTAT": "ACCEPTED"},
        )
        assert set(event) == {
            *("UID", "SEQUENCE", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "STATUS", "ORGANIZER", "ATTENDEE"),
        }


def test_uid_follows_from_the_booking_alone(people, told, database):
    bookings = [people.alice.booking(day=day) for day in (3, 4)]
    (first, _), (second, _) = [(event["UID"], method) for method, event in told()]
    assert first != second
    known = ask(database, "SELECT diary_uid(id, created_at) || '@scheduling' AS uid FROM bookings ORDER BY id")
    assert [row["uid"] for row in known] == [first, second]
    assert people.alice.patch(f"/bookings/{bookings[0]['id']}", {"title": "New"}).status_code == 200
    assert ask(database, "SELECT diary_uid(id, created_at) || '@scheduling' AS uid FROM bookings ORDER BY id") == known


def test_uid_is_the_same_in_every_session(database):
    statement = "SELECT diary_uid(7, '2026-12-01T09:00:00.123456Z') AS uid"
    (here,) = ask(database, statement)
    ask(database, "SELECT set_config('TimeZone', 'Asia/Kathmandu', false), set_config('DateStyle', 'German', false)")
    (there,) = ask(database, statement)
    ask(database, "SELECT set_config('TimeZone', 'UTC', false), set_config('DateStyle', 'ISO', false)")
    assert here == there == {"uid": "296b1f1f-4445-1545-6589-aaf7eb78a472"}


def test_entry_tells_nobody_else_and_asks_for_no_answer(people, database_url, tmp_path):
    people.alice.booking(day=3)
    confirmation = deliver_all(database_url, tmp_path)[-1]
    assert confirmation["Reply-To"] is None
    assert b"RSVP" not in confirmation.as_bytes()


def test_row_of_the_release_before_goes_out_without_a_calendar(people, database, database_url, tmp_path):
    people.alice.booking(day=3)
    ask(database, "UPDATE emails SET data = data - 'uid' - 'sequence' WHERE kind LIKE 'BOOKING%%' RETURNING id")
    confirmation = deliver_all(database_url, tmp_path)[-1]
    assert confirmation["Subject"] == "Booking confirmed: Standup"
    assert [part.get_content_type() for part in confirmation.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
    (row,) = ask(database, "SELECT status, calendar, calendar_method FROM emails WHERE kind LIKE 'BOOKING%%'")
    assert row == {"status": "sent", "calendar": None, "calendar_method": None}
