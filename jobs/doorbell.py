"""The doorbell tells RQ that a row waits in the outbox. It may fail silently: the row does not, and the sweep looks."""

import os
import threading
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import structlog
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.queue import EnqueueData

from jobs.connection import QUEUE

log = structlog.get_logger(__name__)

# By name, so that whoever rings need not load the delivery.
JOB = "jobs.deliver.deliver_email"

# Longer than the longest attempt; then RQ interrupts the job, and the lease of the row runs out by itself.
JOB_TIMEOUT = 60
_BATCH = 100


def ring(redis: Redis, email_ids: Sequence[int], urgent: Collection[int] = ()) -> None:
    """Put a job for each row on the queue, the urgent ones in front; raise RedisError when Redis is away."""
    jobs = [_job(email_id, at_front=email_id in urgent) for email_id in email_ids]
    Queue(QUEUE, connection=redis, serializer="json").enqueue_many(jobs)


def _job(email_id: int, *, at_front: bool) -> EnqueueData:
    return Queue.prepare_data(
        JOB,
        (email_id,),
        job_id=f"email-{email_id}",
        timeout=JOB_TIMEOUT,
        result_ttl=0,
        failure_ttl=3600,
        at_front=at_front,
    )


@dataclass
class Doorbell:
    """Rings from a thread of its own, so that no request ever waits for Redis."""

    connect: Callable[[], Redis]
    _owner: int = field(default=0, init=False)
    _waiting: deque[int] = field(default_factory=lambda: deque(maxlen=10_000), init=False)
    _rung: threading.Event = field(default_factory=threading.Event, init=False)
    _guard: threading.Lock = field(default_factory=threading.Lock, init=False)

    def ring(self, email_id: int) -> None:
        """Remember to ring for a row; returns at once."""
        self._start_anew_after_fork()
        self._waiting.append(email_id)
        self._rung.set()

    def _start_anew_after_fork(self) -> None:
        if self._owner == os.getpid():
            return
        with self._guard:
            if self._owner != os.getpid():
                self._waiting.clear()
                self._rung = threading.Event()
                threading.Thread(target=self._ring_on, name="doorbell", daemon=True).start()
                self._owner = os.getpid()

    def _ring_on(self) -> None:
        redis = self.connect()
        away = False
        while True:
            self._rung.wait()
            self._rung.clear()
            while batch := self._next_batch():
                try:
                    ring(redis, batch)
                except RedisError as error:
                    if not away:
                        log.warning("doorbell_silent", reason=type(error).__name__)
                    away = True
                else:
                    away = False

    def _next_batch(self) -> list[int]:
        batch: list[int] = []
        while self._waiting and len(batch) < _BATCH:
            batch.append(self._waiting.popleft())
        # One id twice in a batch is refused by RQ.
        return list(dict.fromkeys(batch))
