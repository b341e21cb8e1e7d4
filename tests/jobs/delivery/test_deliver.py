"""Every mail is offered once and in its order; a job comes back while its mail waits."""

import psycopg2
import pytest
from structlog.testing import capture_logs

from jobs.delivery import deliver
from tests.jobs.delivery.claims import claim, settle_sent
from tests.mailbox import KEY

PAST = "now() - interval '1 second'"


# One mail


def test_accepted_mail_is_sent_and_says_so(delivery, rows, mailbox):
    email_id = rows.promise()
    assert delivery.drain() is None
    row = rows[email_id]
    (offer,) = mailbox.offers
    assert (row["status"], row["attempts"], row["lease_until"], row["last_error"]) == ("sent", 1, None, None)
    assert row["settled_at"] is not None
    assert offer.key == str(row["idempotency_key"])
    assert row["provider_message_id"] == f"resend-{offer.key}"
    assert (offer.mail["from"], offer.mail["to"], offer.mail["subject"]) == (
        "noreply@example.com",
        ["alice@example.com"],
        "Welcome, Alice",
    )


def test_delivering_twice_sends_once(delivery, rows, mailbox):
    rows.promise()
    delivery.drain()
    assert delivery.drain() is None
    assert len(mailbox.offers) == 1


def test_delivering_when_nothing_is_due_does_nothing(delivery, rows, mailbox):
    assert delivery.drain() is None
    assert mailbox.offers == []


def test_line_in_the_log_names_the_mail_and_its_request_but_no_address(delivery, rows, mailbox):
    email_id = rows.promise()
    with capture_logs() as lines:
        delivery.drain()
    assert [line for line in lines if line["event"].startswith("email_")] == [
        {
            "event": "email_sent",
            "log_level": "info",
            "email_id": email_id,
            "kind": "WELCOME",
            "attempt": 1,
            "request_id": "request-1",
        }
    ]


def test_what_is_due_is_delivered_oldest_first(delivery, rows, mailbox):
    email_ids = [rows.promise(data={"name": name}) for name in ("Alice", "Bob", "Carol", "Dave")]
    rows.move(email_ids[1], next_attempt_at="now() + interval '1 minute'")
    rows.move(email_ids[3], next_attempt_at="now() - interval '1 minute'")
    delivery.drain()
    assert mailbox.subjects == ["Welcome, Dave", "Welcome, Alice", "Welcome, Carol"]


# Order


def test_mails_about_one_booking_leave_in_order(delivery, rows, mailbox):
    booking_id = rows.booking()
    confirmation = rows.promise("BOOKING_CONFIRMATION", booking_id=booking_id)
    cancellation = rows.promise("BOOKING_CANCELLED", booking_id=booking_id)
    restoration = rows.promise("BOOKING_CONFIRMATION", booking_id=booking_id)
    # Even if they have been due for longer.
    for early in (restoration, cancellation):
        rows.move(early, next_attempt_at="now() - interval '1 minute'")
    assert [row["id"] for row in claim(delivery, limit=10)] == [confirmation]
    rows.move(confirmation, lease_until=PAST)
    delivery.drain()
    assert [offer.mail["subject"] for offer in mailbox.offers] == [
        "Booking confirmed: Standup",
        "Booking cancelled: Standup",
        "Booking confirmed: Standup",
    ]
    assert rows.statuses() == ["sent"] * 3


def test_whoever_looks_for_what_is_due_keeps_the_order(delivery, rows, mailbox):
    booking_id = rows.booking()
    confirmation = rows.promise("BOOKING_CONFIRMATION", booking_id=booking_id)
    rows.promise("BOOKING_CANCELLED", booking_id=booking_id)
    rows.move(confirmation, next_attempt_at="now() + interval '1 minute'")
    delivery.drain()
    assert mailbox.offers == []
    rows.make_due()
    delivery.drain()
    assert mailbox.subjects == ["Booking confirmed: Standup", "Booking cancelled: Standup"]


def test_confirmation_in_hand_holds_the_cancellation_back(delivery, rows):
    booking_id = rows.booking()
    rows.promise("BOOKING_CONFIRMATION", booking_id=booking_id)
    cancellation = rows.promise("BOOKING_CANCELLED", booking_id=booking_id)
    (row,) = claim(delivery)
    assert claim(delivery) == []
    settle_sent(delivery, row)
    assert [row["id"] for row in claim(delivery)] == [cancellation]


def test_confirmation_that_must_wait_holds_the_cancellation_back(delivery, rows, mailbox):
    booking_id = rows.booking()
    rows.promise("BOOKING_CONFIRMATION", booking_id=booking_id)
    cancellation = rows.promise("BOOKING_CANCELLED", booking_id=booking_id)
    mailbox.refuse(503)
    assert delivery.drain() > 0
    assert len(mailbox.offers) == 1
    assert rows[cancellation]["attempts"] == 0

    rows.make_due()
    assert delivery.drain() is None
    assert mailbox.subjects == ["Booking confirmed: Standup", "Booking cancelled: Standup"]


def test_dead_confirmation_lets_the_cancellation_go(delivery, rows, mailbox):
    booking_id = rows.booking()
    rows.promise("BOOKING_CONFIRMATION", booking_id=booking_id)
    rows.promise("BOOKING_CANCELLED", booking_id=booking_id)
    mailbox.refuse(422)
    delivery.drain()
    assert rows.statuses() == ["dead", "sent"]
    assert mailbox.subjects == ["Booking cancelled: Standup"]


def test_bookings_do_not_wait_for_one_another(delivery, rows, mailbox):
    held = rows.promise("BOOKING_CONFIRMATION", booking_id=rows.booking())
    rows.move(held, next_attempt_at="now() + interval '1 minute'")
    rows.promise("BOOKING_CONFIRMATION", booking_id=rows.booking())
    rows.promise()
    delivery.drain()
    assert rows.statuses() == ["pending", "sent", "sent"]


def test_whoever_drains_comes_back_for_a_follower_too(delivery, rows, mailbox, httpserver):
    booking_id = rows.booking()
    rows.promise("BOOKING_CONFIRMATION", booking_id=booking_id)
    rows.promise("BOOKING_CANCELLED", booking_id=booking_id)
    httpserver.clear()
    httpserver.expect_oneshot_request("/emails").respond_with_handler(mailbox)
    httpserver.expect_request("/emails").respond_with_data(status=503)
    assert delivery.drain() > 0
    assert rows.statuses() == ["sent", "pending"]


# The job


@pytest.fixture
def job(rows, database_url, redis_url, httpserver, monkeypatch):
    """Offer the job as the worker runs it, with the settings of an environment."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("EMAIL_PROVIDER", "resend")
    monkeypatch.setenv("EMAIL_API_KEY", KEY)
    monkeypatch.setenv("EMAIL_API_BASE_URL", httpserver.url_for(""))
    monkeypatch.setenv("EMAIL_RETRY_ATTEMPTS", "5")
    deliver.delivery.cache_clear()
    yield deliver.deliver_email
    deliver.delivery().database.close()
    deliver.delivery.cache_clear()


def test_job_of_a_sent_mail_is_over(job, rows, mailbox):
    assert job(rows.promise()) is None
    assert mailbox.subjects == ["Welcome, Alice"]


def test_job_comes_back_when_its_mail_is_due_soon(job, rows, mailbox):
    email_id = rows.promise()
    mailbox.refuse(429, Retry_After="20")
    retry = job(email_id)
    # Rounded up: a retry that comes a moment early would find that the mail is not due.
    assert retry.intervals[0] == pytest.approx(22, abs=2)
    assert retry.intervals[0] >= rows[email_id]["wait"]


def test_job_leaves_what_is_due_late_to_the_sweep(job, rows, mailbox):
    mailbox.refuse(429, Retry_After="31")
    assert job(rows.promise()) is None


def test_job_comes_back_soon_while_postgresql_is_away(job, rows, mailbox, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:9/nothing")
    assert job(rows.promise()).intervals == [deliver.AWAY_SECONDS]
    with pytest.raises(psycopg2.OperationalError):
        deliver.delivery().drain()
