"""Holds: a time that one guest looks at is nobody else's for five minutes."""

from datetime import timedelta

import pytest

from tests.databases import ask
from tests.people import time_on
from tests.scheduling.appointments.guests import book, codes, hold, slots, starts, text


@pytest.fixture
def link(people):
    return people.alice.event_type_uid()


# Holds


def test_time_that_is_held_is_the_holders_alone(client, people, link):
    held = hold(client, link, time_on(3, 10))
    assert held.status_code == 201, held.text
    assert hold(client, link, time_on(3, 10)).status_code == 409
    answer = book(client, link, time_on(3, 10))
    assert (answer.status_code, codes(answer)) == (409, ["held"])
    assert people.alice.book(day=3, hour=10, exclusive=True).status_code == 409
    assert book(client, link, time_on(3, 10), hold=held.json["hold"]).status_code == 201
    assert book(client, link, time_on(3, 11), hold=held.json["hold"]).status_code == 201


def test_hold_that_is_given_back_leaves_the_time_free(client, link):
    held = hold(client, link, time_on(3, 10)).json["hold"]
    assert client.delete(f"/holds/{held}").status_code == 200
    assert book(client, link, time_on(3, 10)).status_code == 201


def test_hold_runs_out(client, link, database):
    held = hold(client, link, time_on(3, 10)).json
    ask(database, "UPDATE holds SET expires_at = now() - interval '1 second'")
    assert text(time_on(3, 10)) in starts(slots(client, link, time_on(3, 10), time_on(3, 11)))
    assert book(client, link, time_on(3, 10)).status_code == 201
    assert book(client, link, time_on(3, 10), hold=held["hold"]).status_code == 409
    assert ask(database, "SELECT hold_id FROM claims WHERE hold_id IS NOT NULL") == []


def test_exclusive_entry_takes_a_time_whose_hold_has_run_out(client, people, link, database):
    assert hold(client, link, time_on(3, 10)).status_code == 201
    ask(database, "UPDATE holds SET expires_at = now() - interval '1 second'")
    assert people.alice.book(day=3, hour=10, exclusive=True).status_code == 201


def test_hold_for_another_time_does_not_help(client, link):
    held = hold(client, link, time_on(3, 10)).json["hold"]
    assert book(client, link, time_on(3, 12), hold=held).status_code == 400


def test_address_holds_no_more_than_it_may(client, people, app):
    link = people.alice.event_type_uid(slot_minutes=5)
    answers = [hold(client, link, time_on(3, 0) + timedelta(minutes=30 * number)) for number in range(21)]
    assert [answer.status_code for answer in answers] == [201] * 20 + [429]
    assert answers[-1].json["code"] == "too_many_holds"


def test_hold_counts_against_the_daily_limit(client, people):
    link = people.alice.event_type_uid(daily_limit=1)
    held = hold(client, link, time_on(3, 10))
    assert held.status_code == 201
    assert codes(hold(client, link, time_on(3, 12))) == ["daily_limit"]
    assert book(client, link, time_on(3, 10), hold=held.json["hold"]).status_code == 201


def test_hold_books_what_can_be_booked_now(client, people, link):
    held = hold(client, link, time_on(3, 10)).json["hold"]
    people.alice.booking(day=3, hour=11)
    assert people.alice.patch(f"/event-types/{link}", {"duration_minutes": 120}).status_code == 200
    answer = book(client, link, time_on(3, 10), hold=held)
    assert (answer.status_code, answer.json["code"], codes(answer)) == (409, "slot_taken", ["busy"])


def test_hold_on_somebody_who_left_books_nobody(client, people):
    team = people.alice.organization("Acme", people.bob)
    link = people.alice.event_type_uid(organization_id=team, hosts=[people.bob.id])
    held = hold(client, link, time_on(3, 10)).json["hold"]
    assert people.alice.delete(f"/organizations/{team}/members/{people.bob.id}").status_code == 200
    assert codes(book(client, link, time_on(3, 10), hold=held)) == ["not_member"]
    assert people.alice.patch(f"/event-types/{link}", {"hosts": [people.alice.id]}).status_code == 200
    assert codes(book(client, link, time_on(3, 10), hold=held)) == ["not_member"]


def test_holds_count_in_the_turns(client, people):
    team = people.alice.organization("Acme", people.bob, people.carol)
    ids = [people.alice.id, people.bob.id, people.carol.id]
    link = people.alice.event_type_uid(organization_id=team, hosts=ids, assignment="any")
    for hour in (10, 11, 12):
        held = hold(client, link, time_on(3, hour)).json["hold"]
        assert book(client, link, time_on(3, hour), hold=held).status_code == 201
    assert [len(person.get("/bookings").json) for person in (people.alice, people.bob, people.carol)] == [1, 1, 1]
