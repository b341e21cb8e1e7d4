"""The sweep queues a job for what is overdue, and delivers it itself without Redis."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from rq import Queue
from rq.job import Job
from rq.registry import ScheduledJobRegistry
from structlog.testing import capture_logs

from jobs.connection import RedisAddress, connect_redis
from jobs.delivery.housekeeping import Housekeeping
from jobs.delivery.sweep import Sweep
from jobs.doorbell import MOST_JOBS, queue_job
from scripts.stack.servers import Valkey
from tests.waiting import eventually

PAST = "now() - interval '1 second'"
LONG_AGO = "now() - interval '3 seconds'"
NOWHERE = "redis://127.0.0.1:9/0"


@pytest.fixture
def make_sweep(make_delivery, redis_url, redis):
    def make(url=redis_url, **options):
        delivery = make_delivery(**options)
        return Sweep(delivery, connect_redis(RedisAddress(url), timeout=1.0), Housekeeping(delivery))

    return make


@pytest.fixture
def sweep(make_sweep):
    return make_sweep()


@pytest.fixture
def lonely_sweep(make_sweep):
    """Offer a sweep whose Redis is away."""
    return make_sweep(NOWHERE)


def queued(redis):
    return [job_id.decode() for job_id in redis.lrange("rq:queue:emails", 0, -1)]


def test_overdue_mail_gets_a_job(sweep, rows, redis, mailbox):
    email_id = rows.promise()
    rows.move(email_id, next_attempt_at=LONG_AGO)
    sweep.look()
    assert queued(redis) == [f"email-{email_id}"]
    # Redis is there, so the worker that runs the job delivers.
    assert mailbox.offers == []


def test_young_mail_is_left_to_the_doorbell(sweep, rows, redis, monkeypatch):
    # So long that a slow machine does not let it pass.
    monkeypatch.setattr("jobs.delivery.email_store.OVERDUE_SECONDS", 60)
    email_id = rows.promise()
    rows.move(email_id, next_attempt_at="now() - interval '30 seconds'")
    sweep.look()
    assert queued(redis) == []
    rows.move(email_id, next_attempt_at="now() - interval '61 seconds'")
    sweep.look()
    assert queued(redis) == [f"email-{email_id}"]


def test_one_job_is_enough_for_all_that_wait(sweep, rows, redis):
    first, *others = [rows.promise() for _ in range(50)]
    for email_id in (first, *others):
        rows.move(email_id, next_attempt_at=LONG_AGO)
    sweep.look()
    assert queued(redis) == [f"email-{first}"]


def test_lost_job_is_replaced_at_the_next_look(sweep, rows, redis):
    email_id = rows.promise()
    rows.move(email_id, next_attempt_at=LONG_AGO)
    for _ in range(3):
        sweep.look()
        assert queued(redis) == [f"email-{email_id}"]
        redis.flushdb()


def test_jobs_that_no_worker_runs_are_few(sweep, rows, redis):
    rows.move(rows.promise(), next_attempt_at=LONG_AGO)
    for _ in range(MOST_JOBS + 20):
        sweep.look()
    assert len(queued(redis)) == MOST_JOBS


@pytest.mark.parametrize("status", ["sent", "dead"])
def test_settled_mail_gets_no_job(sweep, rows, redis, status):
    rows.move(rows.promise(), next_attempt_at=LONG_AGO, status=f"'{status}'")
    sweep.look()
    assert queued(redis) == []


def test_mail_of_a_dead_worker_gets_a_job_when_its_lease_ends(sweep, rows, redis):
    email_id = rows.promise()
    rows.move(email_id, next_attempt_at=LONG_AGO)
    assert sweep.delivery.store.claim(1)
    sweep.look()
    assert queued(redis) == []

    rows.move(email_id, lease_until=PAST)
    sweep.look()
    assert queued(redis) == [f"email-{email_id}"]
    assert sweep.delivery.store.claim(1)[0]["attempts"] == 2


def test_mail_that_waits_for_the_rate_limit_gets_no_job(make_sweep, rows, redis):
    sweep = make_sweep(rate_limit=1)
    rows.move(rows.promise(), next_attempt_at=LONG_AGO)
    late = rows.promise()
    rows.move(late, next_attempt_at=LONG_AGO)
    sweep.delivery.store.claim(2)
    sweep.look()
    assert queued(redis) == []

    rows.execute("UPDATE email_rate_slots SET free_at = now()")
    sweep.look()
    assert queued(redis) == [f"email-{late}"]


def test_follower_waits_as_long_as_the_mail_before_it(sweep, rows, redis):
    booking_id = rows.booking()
    confirmation = rows.promise("BOOKING_CONFIRMATION", booking_id=booking_id)
    followers = [rows.promise(kind, booking_id=booking_id) for kind in ("BOOKING_CANCELLED", "BOOKING_CONFIRMATION")]
    rows.move(confirmation, next_attempt_at="now() + interval '1 hour'")
    other = rows.promise()
    sweep.look()
    due = {rows[email_id]["next_attempt_at"] for email_id in (confirmation, *followers)}
    assert len(due) == 1
    assert rows[other]["wait"] < 0


def test_follower_of_a_mail_that_is_due_keeps_its_place(sweep, rows):
    booking_id = rows.booking()
    rows.promise("BOOKING_CONFIRMATION", booking_id=booking_id)
    follower = rows.promise("BOOKING_CANCELLED", booking_id=booking_id)
    sweep.look()
    assert rows[follower]["wait"] < 0


def test_retry_that_is_due_moves_to_the_queue(sweep, redis, rows):
    queue = Queue("emails", connection=redis, serializer="json")
    registry = ScheduledJobRegistry(queue=queue)
    for job_id, due in (("email-1", -1), ("email-2", 60)):
        job = Job.create(
            "jobs.deliver.deliver_email",
            (1,),
            id=job_id,
            origin="emails",
            connection=redis,
            serializer=queue.serializer,
        )
        job.save()
        registry.schedule(job, datetime.now(UTC) + timedelta(seconds=due))
    sweep.look()
    assert queued(redis) == ["email-1"]
    assert registry.get_job_ids() == ["email-2"]


def test_without_redis_the_sweep_delivers_by_itself(lonely_sweep, rows, mailbox):
    for name in ("Alice", "Bob"):
        rows.promise(data={"name": name})
    lonely_sweep.look()
    assert mailbox.subjects == ["Welcome, Alice", "Welcome, Bob"]
    assert rows.statuses() == ["sent", "sent"]


def test_redis_that_does_not_answer_makes_the_sweep_deliver(make_sweep, rows, mailbox, tmp_path):
    with Valkey(tmp_path / "valkey") as valkey:
        sweep = make_sweep(valkey.url)
        sweep.look()
        valkey.pause()
        rows.promise()
        sweep.look()
        assert mailbox.subjects == ["Welcome, Alice"]
        valkey.resume()


def test_mail_whose_job_redis_lost_gets_another(sweep, rows, redis, mailbox):
    email_id = rows.promise()
    queue_job(redis, email_id)
    redis.flushdb()
    rows.move(email_id, next_attempt_at=LONG_AGO)
    sweep.look()
    assert queued(redis) == [f"email-{email_id}"]


def test_without_redis_the_order_and_the_limit_hold(make_sweep, rows, mailbox):
    sweep = make_sweep(NOWHERE, rate_limit=3)
    booking_id = rows.booking()
    for kind in ("BOOKING_CONFIRMATION", "BOOKING_CANCELLED", "BOOKING_CONFIRMATION", "BOOKING_CANCELLED"):
        rows.promise(kind, booking_id=booking_id)
    sweep.look()
    assert [offer.mail["subject"] for offer in mailbox.offers] == [
        "Booking confirmed: Standup",
        "Booking cancelled: Standup",
        "Booking confirmed: Standup",
    ]
    assert rows.statuses() == ["sent", "sent", "sent", "pending"]


def test_sweep_looks_by_itself_until_it_is_stopped(sweep, rows, redis):
    sweep.start()
    first = rows.promise()
    rows.move(first, next_attempt_at=LONG_AGO)
    eventually(lambda: f"email-{first}" in queued(redis))
    sweep.stop(within=5)
    assert not sweep._thread.is_alive()


def test_sweep_finishes_the_mails_that_are_being_offered_before_it_stops(lonely_sweep, rows, httpserver, mailbox):
    offered, answer = threading.Event(), threading.Event()

    def wait(request):
        offered.set()
        assert answer.wait(10)
        return mailbox(request)

    httpserver.clear()
    httpserver.expect_request("/emails").respond_with_handler(wait)
    first, second = rows.promise(), rows.promise()
    lonely_sweep.start()
    assert offered.wait(10)
    stopping = threading.Thread(target=lonely_sweep.stop, kwargs={"within": 10})
    stopping.start()
    eventually(lambda: lonely_sweep.delivery.is_stopping)
    answer.set()
    stopping.join()
    assert not lonely_sweep._thread.is_alive()
    assert (rows[first]["status"], rows[second]["status"], rows[second]["attempts"]) == ("sent", "pending", 0)


def test_sweep_outlives_postgresql(make_sweep):
    sweep = make_sweep(NOWHERE, dsn="postgresql://nobody@127.0.0.1:9/nothing")
    with capture_logs() as lines:
        sweep.start()
        eventually(lambda: [line["event"] for line in lines].count("sweep_waits_for_postgresql") >= 2)
    assert sweep._thread.is_alive()
    sweep.stop(within=5)


def test_sweep_outlives_a_mail_that_cannot_be_rendered(lonely_sweep, rows, mailbox):
    rows.promise(data={"unknown": True})
    rows.promise()
    lonely_sweep.start()
    eventually(lambda: rows.statuses() == ["dead", "sent"], saying=lambda: str(rows.statuses()))
    assert lonely_sweep._thread.is_alive()
    lonely_sweep.stop(within=5)


def test_outcomes_are_counted_over_all_workers(make_sweep, rows, mailbox):
    mailbox.refuse(503)
    for sweep in (make_sweep(NOWHERE), make_sweep(NOWHERE)):
        email_id = rows.promise()
        sweep.look()
        rows.move(email_id, next_attempt_at="now() + interval '1 hour'")
        sweep.housekeeping.report_outcomes()
        sweep.housekeeping.report_outcomes()
    assert rows.ask_all("SELECT outcome, count FROM email_outcomes ORDER BY outcome") == [
        {"outcome": "sent", "count": 1},
        {"outcome": "transient", "count": 1},
    ]
