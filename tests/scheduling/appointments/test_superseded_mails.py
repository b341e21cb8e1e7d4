"""Booking and cancelling within the minute sends two mails at most to each who is told, and nothing vanishes."""

import pytest

from tests.databases import ask
from tests.people import time_on
from tests.scheduling.appointments.guests import book, guest, text

GAIL = "gail@example.com"


@pytest.fixture
def link(people):
    return people.alice.event_type_uid()


@pytest.fixture
def told(database):
    """Return what somebody is told of bookings by guests, oldest first: the kind, the status, whether it waits."""

    def told(recipient=GAIL):
        rows = ask(
            database,
            "SELECT substr(kind, 13) AS kind, status, next_attempt_at > now() AS waits FROM emails"
            " WHERE recipient = %s AND kind LIKE 'APPOINTMENT%%' ORDER BY id",
            recipient,
        )
        return [(row["kind"], row["status"] + " later" * (row["waits"] and row["status"] == "pending")) for row in rows]

    return told


def book_and_cancel(client, link, hour=10, **more):
    booked = book(client, link, time_on(3, hour), **more)
    assert guest(client, booked)("DELETE").status_code == 200
    return booked


def let_pass(database, seconds):
    ask(
        database,
        "UPDATE emails SET created_at = created_at - %s * interval '1 second',"
        " put_off_until = put_off_until - %s * interval '1 second',"
        " next_attempt_at = next_attempt_at - %s * interval '1 second' RETURNING id",
        *(seconds, seconds, seconds),
    )


BOTH = [("CONFIRMED", "pending"), ("CANCELLED", "pending")]
NEITHER = [("CONFIRMED", "superseded"), ("CANCELLED", "superseded")]


def test_booking_that_is_cancelled_at_once_sends_both_mails_at_once(client, people, link, told):
    book_and_cancel(client, link)
    assert told() == BOTH
    assert told(people.alice.email) == BOTH


def test_whoever_goes_on_booking_and_cancelling_sends_two_mails_a_minute(client, people, database, link, told):
    for _ in range(5):
        book_and_cancel(client, link)
    assert told() == BOTH + 4 * NEITHER
    assert told(people.alice.email) == BOTH + 4 * NEITHER
    let_pass(database, 61)
    for _ in range(3):
        book_and_cancel(client, link)
    assert told() == BOTH + 4 * NEITHER + BOTH + 2 * NEITHER


def test_last_booking_is_told_when_the_minute_is_over(client, people, database, link, told):
    for _ in range(2):
        book_and_cancel(client, link)
    book(client, link, time_on(3, 12))
    for recipient in (GAIL, people.alice.email):
        assert told(recipient) == [*BOTH, *NEITHER, ("CONFIRMED", "pending later")]
    (row,) = ask(
        database,
        "SELECT extract(epoch FROM next_attempt_at - now())::float8 AS seconds FROM emails"
        " WHERE put_off_until IS NOT NULL AND status = 'pending' AND recipient = %s",
        GAIL,
    )
    assert 50 < row["seconds"] <= 60
    let_pass(database, 60)
    assert told()[-1] == ("CONFIRMED", "pending")


def test_booking_that_was_told_of_has_its_cancellation(client, database, link, told):
    book_and_cancel(client, link)
    booked = book(client, link, time_on(3, 12))
    ask(database, "UPDATE emails SET attempts = 1, status = 'sent' WHERE put_off_until IS NOT NULL RETURNING id")
    assert guest(client, booked)("DELETE").status_code == 200
    assert told() == [*BOTH, ("CONFIRMED", "sent"), ("CANCELLED", "pending")]


def test_confirmation_that_was_offered_is_not_superseded(client, database, link, told):
    book_and_cancel(client, link)
    booked = book(client, link, time_on(3, 12))
    ask(database, "UPDATE emails SET attempts = 1 WHERE put_off_until IS NOT NULL RETURNING id")
    assert guest(client, booked)("DELETE").status_code == 200
    assert told() == [*BOTH, ("CONFIRMED", "pending later"), ("CANCELLED", "pending")]


def test_moves_of_a_booking_that_nobody_knows_of_wait_with_it(client, link, told):
    book_and_cancel(client, link)
    ask_as_guest = guest(client, book(client, link, time_on(3, 12)))
    for hour in (14, 16):
        assert ask_as_guest("PATCH", {"start": text(time_on(3, hour))}).status_code == 200
    waiting = [("CONFIRMED", "pending later"), ("MOVED", "superseded"), ("MOVED", "pending later")]
    assert told() == BOTH + waiting
    assert ask_as_guest("DELETE").status_code == 200
    moves = [("MOVED", "superseded")] * 2
    assert told() == [*BOTH, NEITHER[0], *moves, NEITHER[1]]


def test_who_books_twice_is_told_of_both_at_once(client, link, told):
    for hour in (10, 12):
        book(client, link, time_on(3, hour))
    assert told() == [("CONFIRMED", "pending")] * 2


def test_other_guests_and_other_links_wait_for_nobody(client, people, link, told):
    book_and_cancel(client, link)
    book(client, link, time_on(3, 12), email="gerd@example.com")
    assert told("gerd@example.com") == [("CONFIRMED", "pending")]
    book(client, people.bob.event_type_uid(), time_on(3, 12))
    assert told() == [*BOTH, ("CONFIRMED", "pending")]


def test_own_bookings_send_every_mail(people, database):
    for _ in range(3):
        people.alice.delete(f"/bookings/{people.alice.booking()['id']}")
    assert {row["status"] for row in ask(database, "SELECT status FROM emails")} == {"pending"}


def test_superseded_mail_is_shown_with_its_reason_and_counted(client, people, link):
    for _ in range(2):
        book_and_cancel(client, link)
    booking = max(people.alice.get("/bookings").json, key=lambda booking: booking["id"])
    deliveries = people.alice.get(f"/bookings/{booking['id']}/deliveries").json
    assert {delivery["status"] for delivery in deliveries} == {"superseded"}
    assert len(deliveries) == 4
    assert all(delivery["last_error"] and delivery["sent_at"] is None for delivery in deliveries)
    assert "scheduling_emails_superseded 4.0" in client.get("//metrics").text
    assert client.get("//health/ready").json["outbox"]["superseded"] == 4
