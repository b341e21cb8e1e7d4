"""What is in the way of a time, said on every way to it: own bookings by their ids, and nothing of holds."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta

import psycopg2
import pytest

from tests.client import Client
from tests.people import time_on
from tests.scheduling.answers import assert_refused, nothing_written, rows
from tests.scheduling.appointments.guests import book, hold, text
from tests.scheduling.diary import cancelled, slot
from tests.scheduling.rivals import WAITING, ask
from tests.waiting import eventually

TAKEN, HELD = (
    "This time is already taken",
    "This time is held for a guest; take another one, or try again in a few minutes",
)


# Ways to a time: each returns a function that asks for 10 to 11 on day 3.


def new(people, client):
    return lambda: people.alice.post("/bookings", slot(day=3, hour=10, exclusive=True))


def moved(people, client):
    own = people.alice.booking(day=5, exclusive=True)
    body = {name: slot(day=3, hour=10)[name] for name in ("start", "end")}
    return lambda: people.alice.patch(f"/bookings/{own['id']}", body)


def restored(people, client):
    own = cancelled(people.alice, day=3, hour=10, exclusive=True)
    return lambda: people.alice.post(f"/bookings/{own['id']}/restore")


def moved_for_a_guest(people, client):
    book(client, people.alice.event_type_uid(), time_on(4, 10))
    (own,) = people.alice.get("/bookings").json
    body = {name: slot(day=3, hour=10)[name] for name in ("start", "end")}
    return lambda: people.alice.patch(f"/bookings/{own['id']}", body)


WAYS = (new, moved, restored, moved_for_a_guest)


def own_ids(people):
    return [booking["id"] for booking in people.alice.get("/bookings").json if booking["start_time"] < text(time_on(4))]


@pytest.mark.parametrize("way", WAYS)
def test_hold_is_said_to_be_one(people, client, database, way):
    take = way(people, client)
    assert hold(client, people.alice.event_type_uid(), time_on(3, 10)).status_code == 201
    with nothing_written(database):
        answer = take()
        assert_refused(answer, 409, "booking_conflict", conflicts=[], detail=HELD)
    rows(database, "UPDATE holds SET expires_at = now() - interval '1 second'")
    assert take().status_code in {200, 201}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("minutes", [0, 60])
def test_booking_by_a_guest_is_named_also_where_only_its_buffer_is_in_the_way(people, client, database, way, minutes):
    take = way(people, client)
    known = own_ids(people)
    link = people.alice.event_type_uid(buffer_before_minutes=minutes)
    assert book(client, link, time_on(3, 10) + timedelta(minutes=minutes)).status_code == 201
    guests = [id_ for id_ in own_ids(people) if id_ not in known]
    with nothing_written(database):
        assert_refused(take(), 409, "booking_conflict", conflicts=guests, detail=TAKEN)


@pytest.mark.parametrize("way", WAYS)
def test_own_bookings_are_named_beside_a_hold(people, client, database, way):
    take = way(people, client)
    link = people.alice.event_type_uid()
    assert hold(client, link, time_on(3, 10)).status_code == 201
    other = people.alice.booking(day=3, hour=10)
    with nothing_written(database):
        assert_refused(take(), 409, "booking_conflict", conflicts=[other["id"]], detail=TAKEN)


def test_what_keeps_another_host_is_nobodys_business(people, client, database):
    team = people.alice.organization("Acme", people.bob)
    link = people.alice.event_type_uid(organization_id=team, hosts=[people.alice.id, people.bob.id], assignment="all")
    assert book(client, link, time_on(4, 10)).status_code == 201
    (own,) = people.alice.get("/bookings").json
    people.bob.booking(day=3, hour=10)
    body = {name: slot(day=3, hour=10)[name] for name in ("start", "end")}
    with nothing_written(database):
        answer = people.alice.patch(f"/bookings/{own['id']}", body)
        assert_refused(answer, 409, "booking_conflict", conflicts=[], detail=TAKEN)


def test_entry_that_was_laid_over_a_guests_booking_is_a_conflict_of_it(people, client):
    book(client, people.alice.event_type_uid(buffer_after_minutes=60), time_on(3, 10))
    (own,) = people.alice.get("/bookings").json
    over = people.alice.booking(day=3, hour=10)
    people.alice.booking(day=3, hour=11)
    renamed = people.alice.patch(f"/bookings/{own['id']}", {"title": "New"})
    assert (renamed.status_code, renamed.json["conflicts"]) == (200, [over["id"]])


def test_constraint_that_decides_answers_in_the_same_shape(app, people, settings):
    alice = people.alice
    anew = Client(app.test_client(), alice.token)
    body = slot(day=3, hour=10, exclusive=True)
    with closing(psycopg2.connect(settings.delivery.database_url)) as rival, ThreadPoolExecutor(1) as thread:
        # Whoever writes without the lock on the diary, as no statement of ours does.
        ask(
            rival,
            "INSERT INTO bookings (user_id, title, start_time, end_time, exclusive)"
            f" VALUES ({alice.id}, 'Rival', '{body['start']}', '{body['end']}', true)",
        )
        answer = thread.submit(anew.post, "/bookings", body)
        eventually(lambda: ask(rival, WAITING)[0][0] == 1, within=1.5)
        rival.commit()
        assert_refused(answer.result(), 409, "booking_conflict", conflicts=[])


def test_conflicts_are_all_that_there_are(people, database):
    rows(
        database,
        "INSERT INTO bookings (user_id, title, start_time, end_time)"
        " SELECT %s, 'Talk', %s, %s FROM generate_series(1, 501)",
        *(people.alice.id, time_on(3, 10), time_on(3, 11)),
    )
    assert len(people.alice.book(day=3, hour=10).json["conflicts"]) == 501
    refused = people.alice.book(day=3, hour=10, exclusive=True)
    assert_refused(refused, 409, "booking_conflict", conflicts=refused.json["conflicts"])
    assert len(refused.json["conflicts"]) == 502
