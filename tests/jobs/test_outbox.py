"""A job is queued for an announced e-mail after the commit, and never before."""

import zlib

import orjson
import pytest
from psycopg2.errors import DivisionByZero, UniqueViolation
from rq.job import Job
from rq.serializers import JSONSerializer

from jobs.connection import RedisAddress
from jobs.doorbell import JOB_TIMEOUT
from jobs.outbox import open_outbox
from jobs.settings import DeliverySettings
from sql.database import Database
from sql.pool import Session
from tests.jobs.conftest import SETTINGS
from tests.waiting import eventually


@pytest.fixture
def api(database, database_url):
    """Offer the database as the API sees it."""
    api = Database(database_url, size=2, session=Session("api"))
    yield api
    api.close()


@pytest.fixture
def outbox(database_url, redis_url, redis):
    return open_outbox(DeliverySettings("development", database_url, RedisAddress(redis_url), SETTINGS))


def queued(redis):
    return [job_id.decode() for job_id in redis.lrange("rq:queue:emails", 0, -1)]


def test_committed_mail_becomes_a_job(outbox, api, redis):
    with api.transaction() as tx:
        tx.execute("SELECT 1", {})
        outbox.announce(tx, 7)
    eventually(lambda: queued(redis) == ["email-7"])
    job = Job.fetch("email-7", redis, serializer=JSONSerializer)
    assert (job.func_name, list(job.args), job.kwargs, job.origin) == ("jobs.deliver.deliver_email", [7], {}, "emails")
    # A job that failed here is not the end of its mail, and one that succeeded need not be remembered.
    assert (job.timeout, job.result_ttl, job.retries_left) == (JOB_TIMEOUT, 0, None)


def test_job_carries_an_id_and_nothing_that_runs(outbox, api, redis):
    with api.statement() as tx:
        outbox.announce(tx, 7)
    eventually(lambda: queued(redis) == ["email-7"])
    # JSON, because a pickle in Redis would run code in the worker.
    assert orjson.loads(zlib.decompress(redis.hget("rq:job:email-7", "data"))) == [
        "jobs.deliver.deliver_email",
        None,
        [7],
        {},
    ]


def test_no_job_is_queued_before_the_commit(outbox, api, redis):
    with api.transaction() as tx:
        tx.execute("SELECT 1", {})
        outbox.announce(tx, 7)
        with api.statement() as other:
            outbox.announce(other, 8)
        # Jobs are queued in order: one for 7 would stand before the one for 8.
        eventually(lambda: "email-8" in queued(redis))
        assert queued(redis) == ["email-8"]
    eventually(lambda: queued(redis) == ["email-8", "email-7"])


def test_rolled_back_transaction_queues_no_job(outbox, api, redis):
    def fail_after_announcing():
        with api.transaction() as tx:
            tx.execute("SELECT 1", {})
            outbox.announce(tx, 7)
            tx.execute("SELECT 1 / 0", {})

    with pytest.raises(DivisionByZero):
        fail_after_announcing()
    with api.transaction() as tx:
        outbox.announce(tx, 8)
    eventually(lambda: "email-8" in queued(redis))
    assert queued(redis) == ["email-8"]


def test_commit_that_fails_queues_no_job(outbox, api, redis, database):
    def fail_to_commit():
        with api.transaction() as tx:
            tx.execute("INSERT INTO promises VALUES (1), (1)", {})
            outbox.announce(tx, 7)

    with database.cursor() as cursor:
        cursor.execute("CREATE TABLE promises (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    try:
        with pytest.raises(UniqueViolation):
            fail_to_commit()
        with api.transaction() as tx:
            outbox.announce(tx, 8)
        eventually(lambda: "email-8" in queued(redis))
        assert queued(redis) == ["email-8"]
    finally:
        with database.cursor() as cursor:
            cursor.execute("DROP TABLE promises")


def test_many_announcements_of_one_transaction_queue_a_job_for_the_last(outbox, api, redis):
    with api.transaction() as tx:
        for email_id in range(1, 251):
            outbox.announce(tx, email_id)
    # The job of the last one delivers all of them.
    eventually(lambda: queued(redis)[-1:] == ["email-250"])
