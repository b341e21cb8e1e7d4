"""Bookings by guests: what is offered can be had, and what is refused says why."""

from datetime import datetime, timedelta

import pytest

from tests.databases import ask
from tests.people import time_on
from tests.scheduling.appointments.guests import GUEST, book, codes, slots, starts, text


@pytest.fixture
def link(people):
    return people.alice.event_type_uid()


# Slots


def test_slots_are_offered_by_the_dates_of_the_guests_zone(client, link):
    answer = slots(client, link, time_on(3, 0), time_on(4, 0), "Asia/Tokyo")
    assert answer["time_zone"] == "Asia/Tokyo"
    assert len(starts(answer)) == 48
    assert len(answer["days"]) == 2
    first = answer["days"][0]["slots"][0]
    assert first["local_start"].endswith("+09:00")
    assert datetime.fromisoformat(first["local_start"]) == datetime.fromisoformat(first["start"])


def test_what_is_booked_is_no_longer_offered(client, link):
    assert book(client, link, time_on(3, 10)).status_code == 201
    assert text(time_on(3, 10)) not in starts(slots(client, link, time_on(3, 0), time_on(4, 0)))


def test_whatever_stands_in_the_diary_is_in_the_way(client, people, link):
    people.alice.booking(day=3, hour=10, hours=2)
    offered = starts(slots(client, link, time_on(3, 9), time_on(3, 13)))
    assert offered == [
        text(time_on(3, 9)),
        text(time_on(3, 9) + timedelta(minutes=30)),
        text(time_on(3, 12)),
        text(time_on(3, 12) + timedelta(minutes=30)),
    ]


def test_entry_longer_than_the_window_is_in_the_way(client, people, link):
    people.alice.booking(day=1, hour=0, hours=24 * 20)
    assert starts(slots(client, link, time_on(8, 0), time_on(9, 0))) == []


def test_window_of_more_than_62_days_is_refused(client, link):
    query = {"from": text(time_on(1, 0)), "to": text(time_on(64, 0))}
    assert client.get(f"/event-types/{link}/slots", query_string=query).status_code == 400


@pytest.mark.parametrize("zone", ["Mars/Base", "../../etc/passwd", "", "UTC\0"])
def test_time_zone_that_is_none_is_refused(client, link, zone):
    query = {"from": text(time_on(1, 0)), "to": text(time_on(2, 0)), "time_zone": zone}
    assert client.get(f"/event-types/{link}/slots", query_string=query).status_code == 400


def test_what_is_switched_off_is_not_there(client, people, link):
    assert people.alice.patch(f"/event-types/{link}", {"is_active": False}).status_code == 200
    assert (
        client.get(
            f"/event-types/{link}/slots", query_string={"from": text(time_on(1, 0)), "to": text(time_on(2, 0))}
        ).status_code
        == 404
    )
    assert book(client, link, time_on(3, 10)).status_code == 404


# Bookings


def test_guest_books_and_the_host_has_it_in_the_diary(client, people, link, database):
    answer = book(client, link, time_on(3, 10), notes="About the roof")
    assert answer.status_code == 201, answer.text
    booking = answer.json["booking"]
    assert set(booking) == {
        *("uid", "event_type_uid", "title", "start_time", "end_time", "status", "guest", "version"),
        *("created_at", "updated_at"),
    }
    (own,) = people.alice.get("/bookings").json
    assert own["uid"] == booking["uid"]
    assert own["event_type_uid"] == link
    assert own["guest"] == GUEST | {"notes": "About the roof"}
    assert own["hosts"] == [people.alice.id]
    assert own["exclusive"] is True
    assert own["assignment"] == {"mode": "one", "chosen": [people.alice.id], "passed_over": []}
    assert people.alice.get("/notifications").json[0]["title"] == 'Booking "Talk" confirmed'
    mails = ask(
        database,
        """
        SELECT kind, recipient, data ->> 'role' AS role, data ->> 'time_zone' AS zone, booking_id
        FROM emails WHERE kind LIKE 'APPOINTMENT%' ORDER BY id
        """,
    )
    assert [(mail["recipient"], mail["role"], mail["zone"]) for mail in mails] == [
        (people.alice.email, "host", "UTC"),
        ("gail@example.com", "guest", "America/New_York"),
    ]
    assert {mail["booking_id"] for mail in mails} == {own["id"]}


def test_time_that_is_taken_is_refused_with_the_nearest_that_are_free(client, link):
    assert book(client, link, time_on(3, 10)).status_code == 201
    answer = book(client, link, time_on(3, 10))
    assert (answer.status_code, answer.json["code"], codes(answer)) == (409, "slot_taken", ["busy"])
    half = timedelta(minutes=30)
    near = [text(time_on(3, 10) - 2 * half), text(time_on(3, 10) - half), text(time_on(3, 10) + half)]
    assert [slot["start"] for slot in answer.json["slots"]] == near
    assert book(client, link, time_on(3, 10) + half).status_code == 201


@pytest.mark.parametrize(
    ("rules", "start", "failed"),
    [
        ({"notice_minutes": 3 * 24 * 60}, time_on(1, 10), "notice"),
        ({"horizon_days": 5}, time_on(20, 10), "horizon"),
        ({}, time_on(3, 10) + timedelta(minutes=7), "grid"),
    ],
)
def test_time_that_a_rule_forbids_is_refused_with_the_rule(client, people, rules, start, failed):
    link = people.alice.event_type_uid(**rules)
    answer = book(client, link, start)
    assert (answer.status_code, answer.json["code"], codes(answer)) == (400, "not_bookable", [failed])


def test_time_outside_of_the_hours_is_refused(client, people):
    schedule = people.alice.schedule(rules=[], overrides=[])
    link = people.alice.event_type(schedule_id=schedule["id"])["uid"]
    answer = book(client, link, time_on(3, 10))
    assert (answer.status_code, codes(answer)) == (400, ["outside_hours"])


def test_daily_limit_counts_bookings_of_the_date(client, people):
    link = people.alice.event_type_uid(daily_limit=1)
    assert book(client, link, time_on(3, 10)).status_code == 201
    answer = book(client, link, time_on(3, 15))
    assert (answer.status_code, codes(answer)) == (400, ["daily_limit"])
    assert book(client, link, time_on(4, 10)).status_code == 201


def test_buffers_keep_bookings_apart(client, people):
    link = people.alice.event_type_uid(buffer_before_minutes=30, buffer_after_minutes=30)
    assert book(client, link, time_on(3, 10)).status_code == 201
    for minutes in (-60, -30, 30, 60):
        answer = book(client, link, time_on(3, 10) + timedelta(minutes=minutes))
        expected = ["buffer"] if abs(minutes) < 90 else []
        assert (answer.status_code, codes(answer)) == (409, expected)
    assert book(client, link, time_on(3, 10) + timedelta(minutes=90)).status_code == 201


def test_guest_learns_nothing_of_the_host(client, people, link):
    people.alice.booking("Secret plan", day=3, hour=10)
    answer = book(client, link, time_on(3, 10))
    assert answer.status_code == 409
    assert answer.json.keys().isdisjoint({"conflicts", "hosts", "user_id"})
    for secret in ("Secret plan", "Alice", people.alice.email):
        assert secret not in answer.text
    assert "Alice" not in client.get(f"/event-types/{link}").text


@pytest.mark.parametrize("field", ["start", "name", "email", "time_zone"])
def test_what_is_needed_is_asked_for(client, link, field):
    body = GUEST | {"start": text(time_on(3, 10))}
    del body[field]
    answer = client.post(f"/event-types/{link}/bookings", body)
    assert answer.status_code == 400
    assert answer.json["errors"][0]["pointer"] == f"/{field}"
