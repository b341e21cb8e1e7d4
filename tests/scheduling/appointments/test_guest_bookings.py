"""What guests and hosts do with a booking later, and that everybody is told."""

from datetime import timedelta

import pytest

from tests.databases import ask
from tests.people import time_on
from tests.scheduling.appointments.guests import book, codes, guest, slots, starts, text


@pytest.fixture
def link(people):
    return people.alice.event_type_uid()


@pytest.fixture
def team(people):
    return people.alice.organization("Acme", people.bob)


# What guests and hosts do later


def test_guest_looks_moves_and_cancels(client, people, link, database):
    ask_as_guest = guest(client, book(client, link, time_on(3, 10)))
    seen = ask_as_guest("GET")
    assert seen.status_code == 200
    assert ask_as_guest("GET", **{"If-None-Match": seen.headers["ETag"]}).status_code == 304
    moved = ask_as_guest("PATCH", {"start": text(time_on(3, 12))})
    assert moved.status_code == 200, moved.text
    assert moved.json["booking"]["start_time"] == text(time_on(3, 12))
    assert moved.json["booking"]["end_time"] == text(time_on(3, 12) + timedelta(minutes=30))
    assert (
        ask_as_guest("PATCH", {"start": text(time_on(3, 13))}, **{"If-Match": seen.headers["ETag"]}).status_code == 412
    )
    assert text(time_on(3, 10)) in starts(slots(client, link, time_on(3, 9), time_on(3, 14)))
    cancelled = ask_as_guest("DELETE", {"reason": "Ill"})
    assert cancelled.json["booking"]["status"] == "cancelled"
    assert ask_as_guest("DELETE").status_code == 409
    assert ask_as_guest("PATCH", {"start": text(time_on(3, 14))}).status_code == 409
    kinds = ask(
        database,
        """
        SELECT kind, (data ->> 'sequence')::int AS sequence, data ->> 'reason' AS reason
        FROM emails WHERE kind LIKE 'APPOINTMENT%' AND data ->> 'role' = 'guest' ORDER BY id
        """,
    )
    assert [(mail["kind"], mail["sequence"]) for mail in kinds] == [
        ("APPOINTMENT_CONFIRMED", 0),
        ("APPOINTMENT_MOVED", 1),
        ("APPOINTMENT_CANCELLED", 2),
    ]
    assert kinds[-1]["reason"] == "Ill"
    assert ask(database, "SELECT id FROM claims") == []


def test_booking_that_cannot_move_keeps_its_time(client, people, link):
    ask_as_guest = guest(client, book(client, link, time_on(3, 10)))
    people.alice.booking(day=3, hour=12)
    refused = ask_as_guest("PATCH", {"start": text(time_on(3, 12))})
    assert (refused.status_code, refused.json["code"]) == (409, "slot_taken")
    assert ask_as_guest("GET").json["start_time"] == text(time_on(3, 10))
    assert book(client, link, time_on(3, 10)).status_code == 409


def test_booking_may_move_into_its_own_time(client, people):
    link = people.alice.event_type_uid(slot_minutes=15)
    ask_as_guest = guest(client, book(client, link, time_on(3, 10)))
    assert ask_as_guest("PATCH", {"start": text(time_on(3, 10) + timedelta(minutes=15))}).status_code == 200


def test_token_opens_one_booking(client, link):
    first = book(client, link, time_on(3, 10))
    other = book(client, link, time_on(3, 12))
    ask_as_guest = guest(client, first)
    for token in (other.json["manage_token"], "nonsense", first.json["manage_token"] + "x"):
        assert ask_as_guest("GET", token=token).status_code == 404
        assert ask_as_guest("DELETE", token=token).status_code == 404
    assert client.get(f"/guest/bookings/{first.json['booking']['uid']}").status_code == 401


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic Og=="}, {"Authorization": "Bearer "}], ids=str)
def test_token_in_the_address_opens_nothing_and_the_refusal_says_where_it_belongs(client, link, method, headers):
    booked = book(client, link, time_on(3, 10)).json
    path, token = f"/guest/bookings/{booked['booking']['uid']}", booked["manage_token"]
    body = {"start": text(time_on(3, 12))} if method == "PATCH" else None
    for name in ("token", "manage_token", "access_token"):
        refused = client.send(method, path, body, query_string={name: token}, headers=headers)
        assert (refused.status_code, refused.json["code"]) == (401, "unauthorized")
        assert refused.headers["WWW-Authenticate"] == "Bearer"
        assert "`Authorization: Bearer <token>`" in refused.json["detail"]
        assert token not in refused.text
    # With the header the query means nothing, as anywhere else.
    opened = client.get(path, query_string={"token": "nonsense"}, headers={"Authorization": f"Bearer {token}"})
    assert (opened.status_code, opened.json["status"]) == (200, "confirmed")


def test_host_moves_and_cancels_for_everybody(client, people, team, database):
    link = people.alice.event_type_uid(organization_id=team, hosts=[people.alice.id, people.bob.id], assignment="all")
    ask_as_guest = guest(client, book(client, link, time_on(3, 10)))
    (own,) = people.bob.get("/bookings").json
    times = {"start": text(time_on(5, 10)), "end": text(time_on(5, 11))}
    moved = people.bob.patch(f"/bookings/{own['id']}", times)
    assert moved.status_code == 200, moved.text
    assert moved.json["booking"]["id"] == own["id"]
    assert people.alice.get("/bookings").json[0]["start_time"] == times["start"]
    assert ask_as_guest("GET").json["end_time"] == times["end"]
    people.alice.booking(day=6, hour=10)
    busy = {"start": text(time_on(6, 10)), "end": text(time_on(6, 11))}
    assert people.bob.patch(f"/bookings/{own['id']}", busy).status_code == 409
    assert people.bob.delete(f"/bookings/{own['id']}").json["booking"]["status"] == "cancelled"
    assert people.bob.delete(f"/bookings/{own['id']}").status_code == 404
    assert ask_as_guest("GET").json["status"] == "cancelled"
    assert {one["uid"]: one["status"] for one in people.alice.get("/bookings").json}[own["uid"]] == "cancelled"
    assert people.bob.post(f"/bookings/{own['id']}/restore").json["code"] == "guest_booking"
    told = ask(database, "SELECT recipient, count(*) FROM emails WHERE kind LIKE 'APPOINTMENT%' GROUP BY recipient")
    assert {row["recipient"]: row["count"] for row in told} == {
        people.alice.email: 3,
        people.bob.email: 3,
        "gail@example.com": 3,
    }


def test_move_to_the_same_time_tells_nobody(client, link, database):
    ask_as_guest = guest(client, book(client, link, time_on(3, 10)))
    mails = "SELECT count(*) AS count FROM emails"
    before = ask(database, mails)
    same = ask_as_guest("PATCH", {"start": text(time_on(3, 10))})
    assert (same.status_code, same.json["booking"]["version"]) == (200, 1)
    assert ask(database, mails) == before


def test_meeting_that_is_over_stays_as_it_was(client, link, database):
    ask_as_guest = guest(client, book(client, link, time_on(3, 10)))
    ask(
        database,
        "UPDATE appointments SET start_time = start_time - interval '9 days', end_time = end_time - interval '9 days'",
    )
    for answer in (ask_as_guest("PATCH", {"start": text(time_on(4, 10))}), ask_as_guest("DELETE")):
        assert (answer.status_code, answer.json["code"]) == (409, "booking_ended")


def test_what_is_no_longer_offered_cannot_be_moved_but_cancelled(client, people, link):
    ask_as_guest = guest(client, book(client, link, time_on(3, 10)))
    assert people.alice.patch(f"/event-types/{link}", {"is_active": False}).status_code == 200
    answer = ask_as_guest("PATCH", {"start": text(time_on(4, 10))})
    assert (answer.status_code, answer.json["code"]) == (400, "not_bookable")
    assert (
        people.alice.get(f"/event-types/{link}/explain", query_string={"start": text(time_on(4, 10))}).status_code
        == 200
    )
    assert ask_as_guest("DELETE").status_code == 200


def test_buffers_of_a_long_booking_are_in_the_way(client, people):
    link = people.alice.event_type_uid(buffer_after_minutes=120)
    assert book(client, link, time_on(3, 10)).status_code == 201
    (own,) = people.alice.get("/bookings").json
    assert people.alice.patch(f"/bookings/{own['id']}", {"end": text(time_on(8, 10))}).status_code == 200
    plain = people.alice.event_type(schedule_id=people.alice.get("/schedules").json[0]["id"])["uid"]
    assert codes(book(client, plain, time_on(8, 11))) == ["buffer"]
    assert starts(slots(client, plain, time_on(8, 10), time_on(8, 13)))[0] == text(time_on(8, 12))


def test_who_left_the_team_is_given_no_reasons(people, team):
    link = people.alice.event_type_uid(organization_id=team, hosts=[people.alice.id, people.bob.id], assignment="any")
    query = {"start": text(time_on(3, 10))}
    assert people.bob.get(f"/event-types/{link}/explain", query_string=query).status_code == 200
    assert people.alice.delete(f"/organizations/{team}/members/{people.bob.id}").status_code == 200
    assert people.bob.get(f"/event-types/{link}/explain", query_string=query).status_code == 403


def test_host_is_written_to_in_the_hosts_own_zone(client, people, team, database):
    people.bob.schedule(time_zone="America/New_York")
    link = people.alice.event_type_uid(organization_id=team, hosts=[people.bob.id])
    assert book(client, link, time_on(3, 10)).status_code == 201
    zones = ask(database, "SELECT data ->> 'time_zone' AS zone FROM emails WHERE data ->> 'role' = 'host'")
    assert zones == [{"zone": "America/New_York"}]


def test_host_who_is_the_guest_too_is_told_once(client, people, team, database):
    hosts = [people.alice.id, people.bob.id]
    link = people.alice.event_type_uid(organization_id=team, hosts=hosts, assignment="all")
    ask_as_guest = guest(client, book(client, link, time_on(3, 10), email=people.bob.email.upper()))
    assert ask_as_guest("PATCH", {"start": text(time_on(3, 12))}).status_code == 200
    assert ask_as_guest("DELETE").status_code == 200
    told = ask(database, "SELECT recipient, kind FROM emails WHERE kind LIKE 'APPOINTMENT%' ORDER BY id")
    kinds = ("APPOINTMENT_CONFIRMED", "APPOINTMENT_MOVED", "APPOINTMENT_CANCELLED")
    expected = [(person.email, kind) for kind in kinds for person in (people.alice, people.bob)]
    assert [(mail["recipient"], mail["kind"]) for mail in told] == expected
