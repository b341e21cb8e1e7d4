"""The sweep finds what nobody rang for, and needs nobody to deliver it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from rq import Queue
from rq.job import Job
from rq.registry import ScheduledJobRegistry
from structlog.testing import capture_logs

from jobs.connection import connect_redis
from jobs.doorbell import ring
from jobs.housekeeping import Housekeeping
from jobs.sweep import Sweep
from scripts.servers import Valkey
from sql.queries import emails
from tests.waiting import eventually

PAST = "now() - interval '1 second'"
NOWHERE = "redis://127.0.0.1:9/0"


@pytest.fixture
def make_sweep(make_delivery, redis_url, redis):
    def make(url=redis_url, **options):
        delivery = make_delivery(**options)
        return Sweep(delivery, connect_redis(url, "", patience=1.0), Housekeeping(delivery))

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


def seconds_until_ring(rows, email_id):
    return rows.ask(
        "SELECT extract(epoch FROM ring_at - now())::float8 AS seconds FROM emails WHERE id = %s", (email_id,)
    )["seconds"]


def test_mail_that_nobody_rang_for_is_rung_for(sweep, rows, redis, mailbox):
    email_id = rows.promise()
    rows.move(email_id, ring_at=PAST)
    sweep.look()
    assert queued(redis) == [f"email-{email_id}"]
    # Redis is there, so delivering is the work of whoever takes the job.
    assert mailbox.offers == []


def test_young_mail_is_left_to_the_doorbell(sweep, rows, redis):
    email_id = rows.promise()
    sweep.look()
    assert queued(redis) == []
    assert 0 < seconds_until_ring(rows, email_id) <= 2


def test_mail_is_not_rung_for_again_in_the_next_moment(sweep, rows, redis):
    email_id = rows.promise()
    rows.move(email_id, ring_at=PAST)
    sweep.look()
    sweep.look()
    assert queued(redis) == [f"email-{email_id}"]
    assert 5 < seconds_until_ring(rows, email_id) <= 15


@pytest.mark.parametrize("status", ["sent", "dead"])
def test_settled_mail_is_not_rung_for(sweep, rows, redis, status):
    rows.move(rows.promise(), ring_at=PAST, status=f"'{status}'")
    sweep.look()
    assert queued(redis) == []


def test_mail_of_a_dead_worker_is_rung_for_when_its_lease_ends(sweep, rows, redis):
    email_id = rows.promise()
    assert sweep.delivery._claim([email_id])
    sweep.look()
    assert queued(redis) == []
    left = rows.ask("SELECT extract(epoch FROM ring_at - lease_until)::float8 AS seconds FROM emails")
    assert left["seconds"] == 0

    rows.move(email_id, ring_at=PAST, lease_until=PAST)
    sweep.look()
    assert queued(redis) == [f"email-{email_id}"]
    assert sweep.delivery._claim([email_id])[0]["attempts"] == 2


def test_mail_is_rung_for_by_one_of_many_sweeps(make_sweep, rows, redis):
    email_ids = [rows.promise() for _ in range(50)]
    rows.make_due()
    sweeps = [make_sweep() for _ in range(6)]
    barrier = threading.Barrier(len(sweeps))

    def look(sweep):
        barrier.wait(10)
        sweep.look()

    with ThreadPoolExecutor(len(sweeps)) as threads:
        list(threads.map(look, sweeps))
    assert sorted(queued(redis)) == sorted(f"email-{email_id}" for email_id in email_ids)


def test_sweep_does_not_wait_for_another_that_is_about_to_ring(make_sweep, rows, redis):
    taken, free = rows.promise(), rows.promise()
    rows.make_due()
    rows.move(free, ring_at="now() + interval '1 hour'")
    with make_sweep().delivery.database.transaction() as tx:
        assert [row["id"] for row in emails.ring_for_emails(tx, limit=10)] == [taken]
        rows.move(free, ring_at=PAST)
        make_sweep().look()
        assert queued(redis) == [f"email-{free}"]


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


def test_redis_that_falls_silent_makes_the_sweep_deliver(make_sweep, rows, mailbox, tmp_path):
    with Valkey(tmp_path / "valkey") as valkey:
        sweep = make_sweep(valkey.url)
        sweep.look()
        valkey.pause()
        rows.promise()
        sweep.look()
        assert mailbox.subjects == ["Welcome, Alice"]
        valkey.resume()


def test_mail_that_redis_forgot_is_rung_for_again(sweep, rows, redis, mailbox):
    email_id = rows.promise()
    ring(redis, [email_id])
    redis.flushdb()
    rows.move(email_id, ring_at=PAST)
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
    rows.move(first, ring_at=PAST)
    eventually(lambda: queued(redis) == [f"email-{first}"])
    sweep.stop(within=5)
    assert not sweep._thread.is_alive()


def test_sweep_finishes_the_mail_in_hand_before_it_stops(lonely_sweep, rows, httpserver, mailbox):
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
    eventually(lonely_sweep._stop.is_set)
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
        rows.promise()
        sweep.look()
        sweep.housekeeping.report_outcomes()
        sweep.housekeeping.report_outcomes()
    assert rows.ask_all("SELECT outcome, count FROM email_outcomes ORDER BY outcome") == [
        {"outcome": "sent", "count": 1},
        {"outcome": "transient", "count": 1},
    ]
