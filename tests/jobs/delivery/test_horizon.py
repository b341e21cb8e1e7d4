"""The horizon of a mail counts from its first offer: no mail dies unseen by the provider."""

import pytest

from jobs.delivery.retry import RetryPolicy
from sql.queries import emails

WAITED = {"pending_since": "now() - interval '5 days'", "created_at": "now() - interval '5 days'"}
PAST = "now() - interval '23 hours 1 second'"


def fail_once(delivery, rows, mailbox, email_id, *, offered_at):
    """Let a mail fail, and move that offer to another time."""
    mailbox.refuse(503)
    delivery.drain()
    rows.move(email_id, first_offered_at=offered_at)
    rows.make_due()


def test_mail_that_has_waited_for_days_is_offered(delivery, rows, mailbox):
    email_id = rows.promise()
    rows.move(email_id, **WAITED)
    delivery.drain()
    assert rows[email_id]["status"] == "sent"


def test_mail_that_has_waited_for_days_has_its_retries(delivery, rows, mailbox):
    email_id = rows.promise()
    rows.move(email_id, **WAITED)
    mailbox.refuse(503)
    assert delivery.drain() > 0
    assert rows[email_id]["status"] == "pending"
    rows.make_due()
    delivery.drain()
    assert rows[email_id]["status"] == "sent"


def test_mail_beyond_its_horizon_is_dead_without_another_offer(delivery, rows, mailbox):
    email_id = rows.promise()
    fail_once(delivery, rows, mailbox, email_id, offered_at=PAST)
    assert delivery.drain() is None
    assert rows[email_id]["status"] == "dead"
    assert rows[email_id]["last_error"]
    assert len(mailbox.offers) == 1


def test_mail_just_within_its_horizon_is_offered_again(delivery, rows, mailbox):
    email_id = rows.promise()
    fail_once(delivery, rows, mailbox, email_id, offered_at="now() - interval '22 hours 59 minutes'")
    delivery.drain()
    assert rows[email_id]["status"] == "sent"


def test_mail_whose_next_attempt_would_lie_beyond_the_horizon_is_dead(make_delivery, rows, mailbox):
    delivery = make_delivery(policy=RetryPolicy(attempts=3, horizon_seconds=60))
    email_id = rows.promise()
    mailbox.refuse(429, Retry_After="61")
    assert delivery.drain() is None
    assert rows[email_id]["status"] == "dead"
    assert len(mailbox.offers) == 1


def test_mail_whose_worker_was_killed_is_offered_however_late(delivery, rows, mailbox):
    email_id = rows.promise()
    delivery.store.claim(1)
    rows.move(email_id, first_offered_at=PAST, lease_until="now()")
    delivery.drain()
    assert rows[email_id]["status"] == "sent"


@pytest.mark.parametrize(("waited", "status"), [("22 hours", "sent"), ("24 hours", "dead")])
def test_mail_that_failed_under_an_earlier_release_keeps_the_horizon_it_had(delivery, rows, mailbox, waited, status):
    email_id = rows.promise()
    fail_once(delivery, rows, mailbox, email_id, offered_at="NULL")
    rows.move(email_id, pending_since=f"now() - interval '{waited}'")
    delivery.drain()
    assert rows[email_id]["status"] == status


def test_replayed_mail_is_offered_under_its_old_key_with_a_new_horizon(delivery, rows, mailbox):
    email_id = rows.promise()
    mailbox.refuse(422)
    delivery.drain()
    rows.move(email_id, first_offered_at="now() - interval '2 days'")
    with delivery.database.statement() as tx:
        assert emails.replay_email(tx, email_id=email_id) == email_id
    # However long it waits for its turn.
    rows.move(email_id, **WAITED)
    delivery.drain()
    first, second = mailbox.offers
    assert first == second
    assert rows[email_id]["status"] == "sent"
