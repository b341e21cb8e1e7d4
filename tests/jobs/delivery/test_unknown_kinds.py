"""A worker of the old release leaves what only the new one knows, and nothing is lost or held up by it."""

import pytest
from rq import Queue
from structlog.testing import capture_logs

from jobs.connection import RedisAddress, connect_redis
from jobs.delivery.housekeeping import Housekeeping
from jobs.delivery.sweep import Sweep
from jobs.mails.rendering import KINDS
from sql.queries import emails
from tests.stack import running
from tests.waiting import eventually

UNKNOWN = "BOOKING_CONFIRMATION"
LONG_AGO = "now() - interval '3 seconds'"


@pytest.fixture
def old(make_delivery):
    """Offer the delivery of a worker that lacks a kind."""
    delivery = make_delivery()
    delivery.store.kinds = sorted(KINDS - {UNKNOWN})
    return delivery


@pytest.fixture
def sweep(old, redis_url, redis):
    """Offer the sweep of that worker."""
    return Sweep(old, connect_redis(RedisAddress(redis_url), timeout=1.0), Housekeeping(old))


def test_mail_of_an_unknown_kind_is_left_for_who_knows_it(old, delivery, rows, mailbox):
    email_id = rows.promise(UNKNOWN)
    assert old.drain() is None
    assert (rows[email_id]["status"], rows[email_id]["attempts"]) == ("pending", 0)
    delivery.drain()
    assert rows[email_id]["status"] == "sent"


def test_unknown_kinds_do_not_hold_up_the_line(old, rows, mailbox):
    for _ in range(50):
        rows.promise(UNKNOWN)
    known = rows.promise()
    old.drain()
    assert rows[known]["status"] == "sent"


def test_unknown_kind_does_not_hold_up_later_mails_about_its_booking(old, rows, mailbox):
    booking_id = rows.booking()
    rows.promise(UNKNOWN, booking_id=booking_id)
    cancelled = rows.promise("BOOKING_CANCELLED", booking_id=booking_id)
    old.drain()
    assert rows[cancelled]["status"] == "sent"


def test_later_mail_does_not_wait_with_one_of_an_unknown_kind(old, rows):
    booking_id = rows.booking()
    rows.move(rows.promise(UNKNOWN, booking_id=booking_id), next_attempt_at="now() + interval '1 hour'")
    cancelled = rows.promise("BOOKING_CANCELLED", booking_id=booking_id)
    old.store.find_overdue()
    assert rows[cancelled]["wait"] < 0


def test_nobody_is_woken_for_an_unknown_kind(old, sweep, rows, redis):
    rows.move(rows.promise(UNKNOWN), next_attempt_at=LONG_AGO)
    sweep.look()
    assert redis.llen("rq:queue:emails") == 0
    rows.execute("UPDATE email_rate_slots SET free_at = now() + interval '1 minute'")
    assert old.store.find_slot() is None


def test_mail_of_an_unknown_kind_outlives_its_horizon(old, rows, mailbox):
    email_id = rows.promise(UNKNOWN)
    rows.move(email_id, pending_since="now() - interval '2 days'", next_attempt_at="now() - interval '2 days'")
    old.drain()
    assert rows[email_id]["status"] == "pending"


def test_unknown_kinds_that_wait_are_named_in_the_log(sweep, rows):
    rows.promise(UNKNOWN)
    rows.promise(UNKNOWN)
    rows.promise()
    with capture_logs() as lines:
        sweep.housekeeping.prune()
    assert [line for line in lines if line["event"] == "emails_of_unknown_kind_wait"] == [
        {"event": "emails_of_unknown_kind_wait", "log_level": "warning", "kind": UNKNOWN, "count": 2}
    ]


def test_mail_that_a_worker_of_the_release_before_gives_up_as_unknown_stays_pending(delivery, rows, mailbox):
    email_id = rows.promise(UNKNOWN)
    (row,) = delivery.store.claim(1)
    free = rows.free_slots()
    with delivery.database.statement() as tx:
        emails.settle_failed(
            tx,
            email_id=email_id,
            fence=row["fence"],
            failure="permanent",
            error="There is no such kind of mail. The provider refuses this mail for good.",
            wait_seconds=0.0,
            rejected=1,
            dead=True,
            rate_window=60,
        )
    kept = rows[email_id]
    assert (kept["status"], kept["rejections"], kept["settled_at"], kept["lease_until"]) == ("pending", 0, None, None)
    assert 0 < kept["wait"] <= 5
    assert rows.free_slots() == free + 1
    rows.make_due()
    delivery.drain()
    assert rows[email_id]["status"] == "sent"


def test_mail_whose_job_names_a_function_that_the_worker_lacks_goes_out(tmp_path, database_url, redis_url, redis, rows):
    email_id = rows.promise()
    queue = Queue("emails", connection=redis, serializer="json")
    queue.enqueue_many([Queue.prepare_data("jobs.of_another_release.deliver", (email_id,), job_id=f"email-{email_id}")])
    with running(tmp_path, database_url=database_url, redis_url=redis_url, names=["worker"]) as stack:
        eventually(lambda: rows[email_id]["status"] == "sent", saying=stack.words)
        assert [line["job_id"] for line in stack.worker.lines if line["event"] == "job_refused"] == [
            f"email-{email_id}"
        ]
