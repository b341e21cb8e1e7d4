"""The doorbell tells RQ that a row waits in the outbox. It may fail silently: the row does not, and the sweep looks."""

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
# Whoever answers a ring takes all that is due: one more than these would tell nobody anything.
ENOUGH = 100
# After a ring the next one waits a little, and stands for all rows that have come meanwhile.
_PAUSE_SECONDS = 0.05


def ring(redis: Redis, email_id: int) -> None:
    """Put a job for a row on the queue, unless enough of them wait; raise RedisError when Redis is away."""
    queue = Queue(QUEUE, connection=redis, serializer="json")
    if queue.count < ENOUGH:
        job = Queue.prepare_data(
            JOB, (email_id,), job_id=f"email-{email_id}", timeout=JOB_TIMEOUT, result_ttl=0, failure_ttl=3600
        )
        queue.enqueue_many([job])


@dataclass
class Doorbell:
    """Rings from a thread of its own, so that no request ever waits for Redis."""

    connect: Callable[[], Redis]
    _owner: int = field(default=0, init=False)
    _newest: int = field(default=0, init=False)
    _rung: threading.Event = field(default_factory=threading.Event, init=False)
    _guard: threading.Lock = field(default_factory=threading.Lock, init=False)

    def ring(self, email_id: int) -> None:
        """Remember to ring for a row; returns at once."""
        self._start_anew_after_fork()
        self._newest = email_id
        self._rung.set()

    def _start_anew_after_fork(self) -> None:
        if self._owner == os.getpid():
            return
        with self._guard:
            if self._owner != os.getpid():
                self._rung = threading.Event()
                threading.Thread(target=self._ring_on, name="doorbell", daemon=True).start()
                self._owner = os.getpid()

    def _ring_on(self) -> None:
        redis = self.connect()
        away = False
        while True:
            self._rung.wait()
            self._rung.clear()
            email_id = self._newest
            try:
                ring(redis, email_id)
            except RedisError as error:
                if not away:
                    log.warning("doorbell_silent", reason=type(error).__name__)
                away = True
            else:
                away = False
            time.sleep(_PAUSE_SECONDS)
