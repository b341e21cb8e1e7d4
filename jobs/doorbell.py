"""Tell RQ that an e-mail waits in the outbox. This may fail: the row stays, and the sweep finds it."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue

from jobs.connection import QUEUE

log = structlog.get_logger(__name__)

# By name, so that queueing a job does not load the delivery. It is the path that workers of the release before know;
# the next release queues the second one, and the one after it knows only that.
JOB = "jobs.deliver.deliver_email"
JOBS = frozenset({JOB, "jobs.delivery.deliver.deliver_email"})

# Longer than the longest attempt; then RQ interrupts the job, and the lease of the row runs out by itself.
JOB_TIMEOUT = 60
# A job delivers all that is due, so more jobs than these would add nothing.
MOST_JOBS = 100
# The thread pauses after each job, and one job stands for all rows that have come meanwhile.
_PAUSE_SECONDS = 0.05


def queue_job(redis: Redis, email_id: int) -> None:
    """Put a job for a row on the queue, unless enough of them wait; raise RedisError when Redis is away."""
    queue = Queue(QUEUE, connection=redis, serializer="json")
    if queue.count < MOST_JOBS:
        job = Queue.prepare_data(
            JOB, (email_id,), job_id=f"email-{email_id}", timeout=JOB_TIMEOUT, result_ttl=0, failure_ttl=3600
        )
        queue.enqueue_many([job])


@dataclass
class Doorbell:
    """Queue jobs in a thread of its own, so that no request waits for Redis."""

    connect: Callable[[], Redis]
    _owner: int = field(default=0, init=False)
    _newest: int = field(default=0, init=False)
    _is_rung: threading.Event = field(default_factory=threading.Event, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def ring(self, email_id: int) -> None:
        """Have a job queued for a row; return at once."""
        self._start_after_fork()
        self._newest = email_id
        self._is_rung.set()

    def _start_after_fork(self) -> None:
        if self._owner == os.getpid():
            return
        with self._lock:
            if self._owner != os.getpid():
                self._is_rung = threading.Event()
                threading.Thread(target=self._run, name="doorbell", daemon=True).start()
                self._owner = os.getpid()

    def _run(self) -> None:
        redis = self.connect()
        is_away = False
        while True:
            self._is_rung.wait()
            self._is_rung.clear()
            email_id = self._newest
            try:
                queue_job(redis, email_id)
            except RedisError as error:
                if not is_away:
                    log.warning("doorbell_silent", reason=type(error).__name__)
                is_away = True
            else:
                is_away = False
            time.sleep(_PAUSE_SECONDS)
