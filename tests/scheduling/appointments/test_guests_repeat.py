"""A guest who repeats, and a stranger who tries to be taken for one."""

from dataclasses import replace

import pytest

from scheduling.app import create_app
from scheduling.context import services
from sql.queries import idempotency
from tests.client import Client
from tests.databases import ask
from tests.people import time_on
from tests.scheduling.answers import assert_refused, nothing_written
from tests.scheduling.appointments.guests import book, guest, hold, text

KEY = {"Idempotency-Key": "0d7c5a3e-1f50-4b5c-9e0a-2f4f7a1f3c55"}
TEN, ELEVEN = time_on(3, 10), time_on(3, 11)
OLDER = "created_at = created_at - interval '24 hours'"


@pytest.fixture
def link(people):
    """Offer either of two hosts, so that a time that is booked once can be booked again."""
    team = people.alice.organization("Acme", people.bob)
    return people.alice.event_type_uid(organization_id=team, hosts=[people.alice.id, people.bob.id], assignment="any")


def post(client, link, start=TEN, *, headers=KEY, **more):
    body = {"name": "Gail", "email": "gail@example.com", "time_zone": "UTC", "start": text(start)}
    return client.post(f"/event-types/{link}/bookings", body | more, headers=headers)


def bookings(database):
    return ask(database, "SELECT count(*) FROM appointments WHERE status = 'confirmed'")[0]["count"]


# By key


@pytest.mark.parametrize("more", [{"name": "Gus"}, {"start": ELEVEN}, {"notes": "x"}])
def test_key_for_another_request_is_refused(client, database, link, more):
    assert post(client, link).status_code == 201
    with nothing_written(database):
        assert_refused(post(client, link, **more), 422, "idempotency_mismatch")


def test_key_of_one_guest_is_nobody_elses(client, people, database, link):
    first = post(client, link).json
    other = post(client, link, email="gus@example.com")
    assert other.status_code == 201
    assert "Idempotency-Replayed" not in other.headers
    assert other.json["manage_token"] != first["manage_token"]
    # A signed-in guest's keys are theirs, and other links know nothing of this one.
    for answer in (post(people.carol, link, ELEVEN), post(client, people.carol.event_type_uid())):
        assert answer.status_code == 201
        assert "Idempotency-Replayed" not in answer.headers
    assert bookings(database) == 4


def test_hold_under_a_key_is_the_network_addresses_alone(client, link, database):
    path, body = f"/event-types/{link}/holds", {"start": text(TEN)}
    mine, again = (client.post(path, body, headers=KEY) for _ in range(2))
    assert again.json == mine.json
    other = client.post(path, body, headers=KEY, environ_overrides={"REMOTE_ADDR": "192.0.2.7"})
    assert other.json["hold"] != mine.json["hold"]
    assert len(ask(database, "SELECT id FROM holds")) == 2


@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 256])
def test_malformed_key_is_refused_without_a_token_too(client, database, link, key):
    with nothing_written(database):
        answer = post(client, link, headers={"Idempotency-Key": key})
        assert_refused(answer, 400, "validation_error", "Idempotency-Key:")


@pytest.mark.parametrize("more", [{"email": "no address"}, {"email": None}, {"email": 7}, {"name": ""}])
def test_body_that_names_nobody_is_refused_and_leaves_the_key_free(client, database, link, more):
    with nothing_written(database):
        assert_refused(post(client, link, **more), 400, "validation_error", f"/{next(iter(more))}")
    assert post(client, link).status_code == 201


def test_answers_to_guests_are_forgotten_after_a_day(app, client, database, link):
    assert post(client, link).status_code == 201
    ask(database, f"UPDATE guest_idempotency_keys SET {OLDER}")
    # The key is free; that the guest has booked this time is known without it.
    assert_refused(post(client, link), 409, "already_booked")
    with app.app_context(), services().database.statement() as tx:
        idempotency.delete_old_guest_answers(tx, limit=10)
    assert ask(database, "SELECT key FROM guest_idempotency_keys") == []


def test_too_large_is_said_before_an_invalid_token(client, link):
    headers = KEY | {"Authorization": "Bearer no.such.token"}
    path = f"/event-types/{link}/bookings"
    answer = client.post(path, data=b'"' + b"x" * 65_536 + b'"', content_type="application/json", headers=headers)
    assert_refused(answer, 413, "payload_too_large")
    answer = client.post(path, data=b"{", content_type="application/json", headers=headers)
    assert_refused(answer, 401, "token_invalid")


@pytest.mark.parametrize("header", ["Bearer x", "Bearer", "Basic eA==", ""])
def test_invalid_token_counts_as_none_without_a_key(client, database, header):
    headers = {"Authorization": header}
    assert client.post("/analytics/event", {"eventType": "x"}, headers=headers).status_code == 201
    with nothing_written(database):
        answer = client.post("/analytics/event", {"eventType": "x"}, headers=headers | KEY)
        assert answer.status_code == 401


# By hold


def test_booked_hold_answers_with_its_booking_as_it_is_now(client, database, link):
    held = hold(client, link, TEN).json["hold"]
    first = book(client, link, TEN, hold=held)
    moved = guest(client, first)("PATCH", {"start": text(ELEVEN)})
    again = book(client, link, TEN, hold=held)
    assert again.status_code == 201
    assert again.json == first.json | {"booking": moved.json["booking"]}
    assert again.headers["ETag"] == moved.headers["ETag"]
    assert guest(client, again)("DELETE").status_code == 200
    assert book(client, link, TEN, hold=held).json["booking"]["status"] == "cancelled"
    assert bookings(database) == 0


def test_booked_hold_is_none_for_another_guest_and_another_start(client, database, link):
    held = hold(client, link, TEN).json["hold"]
    first = book(client, link, TEN, hold=held)
    for answer in (book(client, link, TEN, hold=held, email="gus@example.com"), book(client, link, ELEVEN, hold=held)):
        assert answer.status_code == 201
        assert first.json["manage_token"] not in answer.text
    assert bookings(database) == 3


def test_booked_hold_is_forgotten_after_a_day(client, database, link):
    held = hold(client, link, TEN).json["hold"]
    assert book(client, link, TEN, hold=held).status_code == 201
    ask(database, f"UPDATE appointments SET {OLDER}")
    assert_refused(book(client, link, TEN, hold=held), 409, "already_booked")


def test_token_is_told_again_while_its_secret_is_known(settings, client, database, link):
    held = hold(client, link, TEN).json["hold"]
    first = book(client, link, TEN, hold=held)
    old, new = settings.jwt_secret, "another secret, which is long enough as well"
    for previous, status in ((old, 201), (None, 409)):
        app = create_app(replace(settings, pool_size=1, jwt_secret=new, jwt_secret_previous=previous))
        rotated = Client(app.test_client())
        again = book(rotated, link, TEN, hold=held)
        assert again.status_code == status
        assert guest(rotated, first)("GET").status_code == 200
        with app.app_context():
            services().database.close()
    assert bookings(database) == 1


# By neither


def test_guest_books_a_start_once_however_the_address_is_written(client, database, link):
    first = book(client, link, TEN)
    with nothing_written(database):
        again = book(client, link, TEN, email="GAIL@Example.COM", name="Somebody", notes="else")
    assert_refused(again, 409, "already_booked")
    for secret in (first.json["manage_token"], first.json["booking"]["uid"]):
        assert secret not in again.text


def test_guest_who_has_cancelled_books_again(client, link):
    first = book(client, link, TEN)
    assert guest(client, first)("DELETE").status_code == 200
    assert book(client, link, TEN).status_code == 201


def test_guest_does_not_move_onto_another_booking_of_theirs(client, link):
    assert book(client, link, TEN).status_code == 201
    later = book(client, link, ELEVEN)
    answer = guest(client, later)("PATCH", {"start": text(TEN)})
    assert_refused(answer, 409, "already_booked")
    assert guest(client, later)("GET").json["start_time"] == text(ELEVEN)


def test_guest_books_the_same_start_with_somebody_else(client, people, link):
    assert book(client, link, TEN).status_code == 201
    assert book(client, people.carol.event_type_uid(), TEN).status_code == 201
