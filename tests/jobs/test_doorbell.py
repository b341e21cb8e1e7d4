"""The doorbell queues jobs, and its callers do not wait, whatever Redis does."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from redis import Redis
from redis.exceptions import RedisError

from jobs.connection import RedisAddress, connect_redis
from jobs.doorbell import MOST_JOBS, Doorbell, queue_job
from scripts.stack.servers import Valkey
from tests.forking import Child
from tests.waiting import eventually

# For a hundred calls: below the half second that the doorbell's own thread may wait for Redis each time.
AT_ONCE = 0.4


@pytest.fixture
def valkey(tmp_path):
    with Valkey(tmp_path / "valkey") as valkey:
        yield valkey


@pytest.fixture
def connect(valkey):
    return partial(connect_redis, RedisAddress(valkey.url), timeout=0.5)


@pytest.fixture
def doorbell(connect):
    return Doorbell(connect)


def queued(valkey):
    with Redis.from_url(valkey.url) as redis:
        return [job_id.decode() for job_id in redis.lrange("rq:queue:emails", 0, -1)]


def seconds_to_ring(doorbell, times=100):
    started = time.monotonic()
    for email_id in range(times):
        doorbell.ring(email_id)
    return time.monotonic() - started


def doorbell_threads():
    return [thread for thread in threading.enumerate() if thread.name == "doorbell"]


def test_ring_queues_a_job(doorbell, valkey):
    doorbell.ring(7)
    eventually(lambda: queued(valkey) == ["email-7"])


def test_ring_does_not_wait_for_a_redis_that_is_away(doorbell, valkey):
    valkey.kill()
    assert seconds_to_ring(doorbell) < AT_ONCE


def test_ring_does_not_wait_for_a_redis_that_does_not_answer(doorbell, valkey):
    doorbell.ring(1_000)
    eventually(lambda: queued(valkey) == ["email-1000"])
    valkey.pause()
    assert seconds_to_ring(doorbell) < AT_ONCE
    valkey.resume()


def test_doorbell_queues_jobs_again_when_redis_is_back(doorbell, valkey):
    valkey.kill()
    doorbell.ring(7)
    # The sweep finds this row: the doorbell has forgotten it.
    eventually(lambda: not doorbell._is_rung.is_set())
    valkey.start()
    doorbell.ring(8)
    eventually(lambda: "email-8" in queued(valkey))


def test_many_rings_become_few_jobs_and_one_for_the_last(doorbell, valkey):
    seconds_to_ring(doorbell, times=1_000)
    eventually(lambda: "email-999" in queued(valkey))
    assert len(queued(valkey)) < 20


def test_no_more_jobs_are_queued_than_are_useful(connect, valkey):
    for email_id in range(MOST_JOBS + 20):
        queue_job(connect(), email_id)
    assert queued(valkey) == [f"email-{email_id}" for email_id in range(MOST_JOBS)]


def test_forked_process_has_a_doorbell_thread_of_its_own(doorbell, valkey):
    doorbell.ring(1)
    eventually(lambda: queued(valkey) == ["email-1"])

    def ring_in_child():
        before = len(doorbell_threads())
        doorbell.ring(2)
        eventually(lambda: "email-2" in queued(valkey))
        return before, len(doorbell_threads())

    assert Child(ring_in_child).result() == [0, 1]
    doorbell.ring(3)
    eventually(lambda: queued(valkey) == ["email-1", "email-2", "email-3"])


def test_child_queues_no_job_for_what_waits_in_its_parent(doorbell, valkey):
    valkey.pause()
    seconds_to_ring(doorbell, times=500)

    def ring_in_child():
        valkey.resume()
        doorbell.ring(1_000)
        eventually(lambda: "email-1000" in queued(valkey))
        return len(doorbell_threads())

    assert Child(ring_in_child).result() == 1


def test_concurrent_first_rings_start_one_thread_and_queue_a_job(valkey, connect):
    for round_number in range(20):
        before, doorbell, barrier = len(doorbell_threads()), Doorbell(connect), threading.Barrier(8)

        def ring_with_others(email_id, doorbell=doorbell, barrier=barrier):
            barrier.wait(10)
            doorbell.ring(email_id)

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(ring_with_others, range(round_number * 8, round_number * 8 + 8)))
        assert len(doorbell_threads()) == before + 1
        expected = {f"email-{email_id}" for email_id in range(round_number * 8, round_number * 8 + 8)}
        eventually(lambda expected=expected: expected & set(queued(valkey)))


def test_queueing_a_job_raises_while_redis_is_away(valkey, connect):
    valkey.kill()
    with pytest.raises(RedisError):
        queue_job(connect(), 7)


def test_queueing_a_job_raises_while_redis_does_not_answer(valkey, connect):
    valkey.pause()
    started = time.monotonic()
    with pytest.raises(RedisError):
        queue_job(connect(), 7)
    assert 0.5 <= time.monotonic() - started < 2
    valkey.resume()
