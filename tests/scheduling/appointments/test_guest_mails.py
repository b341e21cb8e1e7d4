"""Guests cause so many mails to a recipient, through an event type and from an address, and no more."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from scheduling.app import create_app
from tests.client import Client, ConformingClient
from tests.people import time_on
from tests.scheduling.answers import nothing_written
from tests.scheduling.appointments.guests import book, guest, text

NONE = {f"rate_limit_guest_mails_per_{of}": "" for of in ("recipient", "event_type", "address")}


@pytest.fixture
def limited_to(settings, people):
    """Make clients of applications that have a limit."""

    def make(**limits):
        app = create_app(
            replace(settings, **NONE | {f"rate_limit_guest_mails_per_{of}": r for of, r in limits.items()})
        )
        app.test_client_class = ConformingClient
        return Client(app.test_client())

    return make


@pytest.fixture
def link(people):
    return people.alice.event_type_uid()


def assert_refused(answer, within):
    assert (answer.status_code, answer.json["code"]) == (429, "rate_limited"), answer.text
    assert within - 5 <= int(answer.headers["Retry-After"]) <= within
    assert f"try again in {answer.headers['Retry-After']} seconds" in answer.json["detail"]


def test_recipient_is_written_to_so_often_through_whatever_link(limited_to, people, database, link):
    client, other = limited_to(recipient="2 per hour"), people.bob.event_type_uid()
    assert book(client, link, time_on(3, 9)).status_code == 201
    assert book(client, other, time_on(3, 9), email="Gail+spam@Example.com").status_code == 201
    with nothing_written(database):
        assert_refused(book(client, link, time_on(3, 11)), 1800)
        assert_refused(book(client, other, time_on(3, 11), email="gail+more@example.com"), 1800)
    assert book(client, link, time_on(3, 11), email="gerd@example.com").status_code == 201


def test_event_type_is_booked_so_often_by_whoever(limited_to, people, database, link):
    client = limited_to(event_type="1 per hour")
    assert book(client, link, time_on(3, 9)).status_code == 201
    with nothing_written(database):
        assert_refused(book(client, link, time_on(3, 11), email="gerd@example.com"), 3600)
    assert book(client, people.bob.event_type_uid(), time_on(3, 9)).status_code == 201


def test_address_books_so_often(limited_to, people, database, link):
    client, other = limited_to(address="1 per minute"), people.bob.event_type_uid()
    assert book(client, link, time_on(3, 9)).status_code == 201
    with nothing_written(database):
        assert_refused(book(client, other, time_on(3, 9), email="gerd@example.com"), 60)


def test_what_is_refused_for_another_reason_uses_nothing(limited_to, link):
    client = limited_to(recipient="2 per hour", address="2 per hour", event_type="2 per hour")
    assert book(client, link, time_on(3, 9)).status_code == 201
    for _ in range(3):
        assert book(client, link, time_on(3, 9)).status_code == 409
        assert book(client, link, time_on(-3, 9)).status_code == 400
    assert book(client, link, time_on(3, 10)).status_code == 201


def test_move_counts_and_a_cancellation_never_does(limited_to, people, database, link):
    client = limited_to(recipient="2 per hour")
    booked = book(client, link, time_on(3, 9))
    ask = guest(client, booked)
    assert ask("PATCH", {"start": text(time_on(3, 11))}).status_code == 200
    with nothing_written(database):
        assert_refused(ask("PATCH", {"start": text(time_on(3, 13))}), 1800)
    assert ask("DELETE").status_code == 200


def test_host_who_moves_a_guest_is_bound_as_well(limited_to, people, database, link):
    client = limited_to(recipient="1 per hour")
    assert book(client, link, time_on(3, 9)).status_code == 201
    (booking,) = people.alice.get("/bookings").json
    alice = client.with_token(people.alice.token)
    with nothing_written(database):
        times = {"start": text(time_on(3, 11)), "end": text(time_on(3, 12))}
        assert_refused(alice.patch(f"/bookings/{booking['id']}", times), 3600)
    assert alice.delete(f"/bookings/{booking['id']}").status_code == 200


def test_use_comes_back_with_time(limited_to, database, link):
    client = limited_to(recipient="2 per hour")
    for hour in (9, 11):
        assert book(client, link, time_on(3, hour)).status_code == 201
    with database.cursor() as cursor:
        cursor.execute("UPDATE guest_mail_allowances SET used_until = used_until - interval '30 minutes'")
    assert book(client, link, time_on(3, 13)).status_code == 201
    assert_refused(book(client, link, time_on(3, 15)), 1800)


def test_limit_holds_over_processes_and_links_at_once(limited_to, people):
    clients = [limited_to(recipient="3 per hour") for _ in range(4)]
    links = [person.event_type_uid() for person in (people.alice, people.bob, people.carol, people.admin)]
    rivals = [(client, link, hour) for client, link in zip(clients, links, strict=True) for hour in (9, 11)]
    with ThreadPoolExecutor(len(rivals)) as threads:
        answers = list(threads.map(lambda rival: book(rival[0], rival[1], time_on(3, rival[2])), rivals))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [429] * 5
