"""Several hosts: everybody at once or in turns, explained, and free together."""

import pytest

from tests.people import time_on
from tests.scheduling.appointments.guests import book, codes, text


@pytest.fixture
def link(people):
    return people.alice.event_type_uid()


@pytest.fixture
def team(people):
    return people.alice.organization("Acme", people.bob)


# Several hosts


def test_everybody_is_booked_at_once(client, people, team):
    link = people.alice.event_type_uid(organization_id=team, hosts=[people.alice.id, people.bob.id], assignment="all")
    booked = book(client, link, time_on(3, 10))
    assert booked.status_code == 201, booked.text
    for person in (people.alice, people.bob):
        (own,) = person.get("/bookings").json
        assert own["hosts"] == sorted([people.alice.id, people.bob.id])
    people.bob.booking(day=4, hour=10)
    assert book(client, link, time_on(4, 10)).status_code == 409
    assert len(people.alice.get("/bookings").json) == 1


def test_round_robin_takes_turns_and_says_why(client, people, team):
    ids = sorted([people.alice.id, people.bob.id])
    link = people.alice.event_type_uid(organization_id=team, hosts=ids, assignment="any")
    chosen = []
    for hour in (8, 9, 10, 11):
        assert book(client, link, time_on(3, hour)).status_code == 201
    for person in (people.alice, people.bob):
        bookings = person.get("/bookings").json
        chosen.append(len(bookings))
        assert all(one["assignment"]["chosen"] == [person.id] for one in bookings)
        assert all(len(one["assignment"]["passed_over"]) == 1 for one in bookings)
        assert all(one["assignment"]["passed_over"][0]["reason"] for one in bookings)
    assert chosen == [2, 2]


def test_round_robin_has_room_for_as_many_as_there_are_hosts(client, people, team):
    link = people.alice.event_type_uid(organization_id=team, hosts=[people.alice.id, people.bob.id], assignment="any")
    guests = [f"guest{number}@example.com" for number in range(3)]
    assert [book(client, link, time_on(3, 10), email=guest).status_code for guest in guests] == [201, 201, 409]


def test_who_left_the_team_is_not_booked(client, people, team):
    link = people.alice.event_type_uid(organization_id=team, hosts=[people.bob.id])
    assert book(client, link, time_on(3, 10)).status_code == 201
    assert people.alice.delete(f"/organizations/{team}/members/{people.bob.id}").status_code == 200
    answer = book(client, link, time_on(3, 12))
    assert (answer.status_code, codes(answer)) == (400, ["not_member"])


# Explanations


def test_explanation_names_each_rule_for_each_host(client, people, link):
    booking = people.alice.booking(day=3, hour=10)
    answer = people.alice.get(f"/event-types/{link}/explain", query_string={"start": text(time_on(3, 10))})
    assert answer.status_code == 200, answer.text
    assert answer.json["bookable"] is False
    (host,) = answer.json["hosts"]
    failed = [rule for rule in host["rules"] if not rule["passed"]]
    assert [rule["code"] for rule in failed] == ["busy"]
    assert str(booking["id"]) in failed[0]["detail"]
    assert len(host["rules"]) == 10


def test_only_hosts_and_managers_are_given_reasons(client, people, link):
    query = {"start": text(time_on(3, 10))}
    assert people.carol.get(f"/event-types/{link}/explain", query_string=query).status_code == 403
    assert client.get(f"/event-types/{link}/explain", query_string=query).status_code == 401


# Common times


def test_members_find_when_they_are_free_together(people, team):
    for person in (people.alice, people.bob):
        person.event_type_uid()
    people.alice.booking("Secret", day=3, hour=10)
    people.bob.booking("Hidden", day=3, hour=12)
    body = {
        "organization_id": team,
        "duration_minutes": 60,
        "from": text(time_on(3, 9)),
        "to": text(time_on(3, 14)),
        "time_zone": "UTC",
    }
    answer = people.bob.post("/availability/find", body)
    assert answer.status_code == 200, answer.text
    both = sorted([people.alice.id, people.bob.id])
    assert [(one["start"], one["end"], one["user_ids"]) for one in answer.json["times"]] == [
        (text(time_on(3, 9)), text(time_on(3, 10)), both),
        (text(time_on(3, 11)), text(time_on(3, 12)), both),
        (text(time_on(3, 13)), text(time_on(3, 14)), both),
    ]
    assert "Secret" not in answer.text
    assert len(people.bob.post("/availability/find", body | {"quorum": 1}).json["times"]) > 3
    assert people.bob.post("/availability/find", body | {"quorum": 3}).status_code == 400


def test_strangers_find_nothing(people, team):
    body = {"duration_minutes": 60, "from": text(time_on(3, 9)), "to": text(time_on(3, 14))}
    assert people.carol.post("/availability/find", body | {"organization_id": team}).status_code == 404
    assert people.carol.post("/availability/find", body | {"user_ids": [people.alice.id]}).status_code == 404
    assert people.alice.post("/availability/find", body | {"user_ids": [people.carol.id]}).status_code == 404
    assert people.alice.post("/availability/find", body | {"user_ids": [people.bob.id]}).status_code == 200
    assert people.alice.post("/availability/find", body).status_code == 400
