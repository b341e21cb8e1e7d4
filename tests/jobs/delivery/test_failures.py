"""A mail that fails is tried again or is dead, and holds up nobody."""

import pytest
from structlog.testing import capture_logs

from jobs.providers.resend import Resend
from tests.jobs.delivery.claims import claim
from tests.mailbox import KEY

PAST = "now() - interval '1 second'"


def test_second_attempt_offers_the_same_bytes_under_the_same_key(make_delivery, rows, mailbox):
    email_id = rows.promise()
    mailbox.refuse(503)
    make_delivery().drain()
    assert rows[email_id]["subject"] == "Welcome, Alice"

    # Neither what the row was made of nor the settings of another deployment may change it any more.
    rows.move(email_id, data='\'{"name": "Mallory"}\'', next_attempt_at=PAST)
    make_delivery(sender="another@example.com").drain()
    first, second = mailbox.offers
    assert first == second
    assert rows[email_id]["status"] == "sent"


def test_mail_that_is_refused_for_good_is_dead_at_once(delivery, rows, mailbox):
    email_id = rows.promise()
    mailbox.refuse(422)
    with capture_logs() as lines:
        assert delivery.drain() is None
    row = rows[email_id]
    assert (row["status"], row["last_failure"]) == ("dead", "permanent")
    assert row["last_error"].startswith("The provider answered 422.")
    assert row["settled_at"] is not None
    assert row["lease_until"] is None
    assert [line["log_level"] for line in lines if line["event"] == "email_dead"] == ["error"]
    rows.make_due()
    assert delivery.drain() is None
    assert len(mailbox.offers) == 1


def test_mail_that_fails_for_now_is_due_again_later(delivery, rows, mailbox):
    email_id = rows.promise()
    mailbox.refuse(503, times=4)
    waits = []
    for attempt in range(1, 5):
        rows.make_due()
        waits.append(delivery.drain())
        row = rows[email_id]
        assert (row["status"], row["attempts"], row["rejections"]) == ("pending", attempt, 0)
        assert (row["last_failure"], row["last_error"]) == ("transient", "The provider answered 503.")
        assert (row["lease_until"], row["settled_at"]) == (None, None)
        assert 0 < waits[-1] - row["wait"] < 0.5
        assert claim(delivery) == []
    assert waits == sorted(waits)

    rows.make_due()
    assert delivery.drain() is None
    row = rows[email_id]
    assert (row["status"], row["attempts"], row["last_failure"], row["last_error"]) == ("sent", 5, None, None)


def test_provider_that_is_away_costs_no_mail(make_delivery, rows, httpserver):
    delivery = make_delivery()
    delivery.pool.provider = Resend(KEY, "http://127.0.0.1:9")
    email_id = rows.promise()
    for _ in range(5):
        rows.make_due()
        assert delivery.drain() > 0
    row = rows[email_id]
    assert (row["status"], row["rejections"], row["last_error"]) == (
        "pending",
        0,
        "The provider could not be reached.",
    )


@pytest.mark.parametrize("attempts", [1, 3])
def test_mail_is_rejected_as_often_as_the_settings_say(make_delivery, rows, mailbox, attempts):
    delivery = make_delivery(retry_attempts=attempts)
    email_id = rows.promise()
    mailbox.refuse(418, times=attempts)
    for rejections in range(1, attempts):
        assert delivery.drain() > 0
        assert (rows[email_id]["status"], rows[email_id]["rejections"]) == ("pending", rejections)
        rows.make_due()
    assert delivery.drain() is None
    row = rows[email_id]
    assert (row["status"], row["rejections"], row["last_failure"]) == ("dead", attempts, "rejected")
    assert len(mailbox.offers) == attempts


def test_outage_between_rejections_does_not_count(make_delivery, rows, mailbox):
    delivery = make_delivery(retry_attempts=2)
    email_id = rows.promise()
    for status in (418, 503, 503, 503):
        mailbox.refuse(status)
    for _ in range(4):
        assert delivery.drain() > 0
        rows.make_due()
    assert delivery.drain() is None
    assert rows[email_id]["status"] == "sent"


def test_provider_that_asks_for_patience_gets_it(delivery, rows, mailbox):
    email_id = rows.promise()
    mailbox.refuse(429, Retry_After="120")
    assert 120 <= delivery.drain() <= 132
    row = rows[email_id]
    assert (row["status"], row["last_failure"], row["rejections"]) == ("pending", "throttled", 0)
    assert 119 < row["wait"] <= 132


def test_refused_key_raises_an_alarm_and_loses_no_mail(delivery, rows, mailbox):
    email_id = rows.promise()
    delivery.pool.provider = Resend("another key", delivery.pool.provider.api.url.removesuffix("/emails"))
    with capture_logs() as lines:
        assert delivery.drain() > 0
    assert [(line["event"], line["log_level"]) for line in lines] == [("email_deferred", "error")]
    assert (rows[email_id]["status"], rows[email_id]["last_failure"]) == ("pending", "configuration")


@pytest.mark.parametrize("data", [{}, {"name": None, "title": 7}])
def test_mail_that_cannot_be_rendered_is_dead_and_holds_up_nobody(delivery, rows, mailbox, data):
    booking_id = rows.booking()
    poison = rows.promise("BOOKING_CONFIRMATION", data={"unknown": True, **data}, booking_id=booking_id)
    rows.promise("BOOKING_CANCELLED", booking_id=booking_id)
    assert delivery.drain() is None
    assert (rows[poison]["status"], rows[poison]["last_failure"]) == ("dead", "permanent")
    assert rows[poison]["last_error"]
    assert mailbox.subjects == ["Booking cancelled: Standup"]
