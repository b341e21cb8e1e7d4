"""Find mails that are due and that no worker has claimed, and queue a job for them; without Redis, deliver them.

The sweep runs as a thread of every worker. Any number may run at once: a mail is claimed by one worker only.
"""

import threading
from dataclasses import dataclass, field

import psycopg2
import structlog
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.scheduler import RQScheduler

from jobs.connection import QUEUE
from jobs.delivery.deliver import Delivery
from jobs.delivery.housekeeping import Housekeeping
from jobs.doorbell import queue_job
from sql.pool import PoolExhausted

log = structlog.get_logger(__name__)

_INTERVAL_SECONDS = 1.0


@dataclass
class Sweep:
    """Look at the outbox every second."""

    delivery: Delivery
    redis: Redis
    housekeeping: Housekeeping
    _stop: threading.Event = field(default_factory=threading.Event, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="sweep", daemon=True)
        self._thread.start()

    def stop(self, *, within: float) -> None:
        """Finish the mails that are being offered, and stop; wait at most `within` seconds."""
        self._stop.set()
        self.delivery.stop()
        if self._thread is not None:
            self._thread.join(within)

    def look(self) -> None:
        """Queue a job if a mail is overdue; deliver what is due here when Redis is away."""
        try:
            self._move_retries()
            self._queue_overdue()
        except RedisError:
            self.delivery.drain()

    def look_or_wait(self) -> None:
        """Look, and keep the tables small; do nothing while PostgreSQL is away."""
        try:
            self.look()
            self.housekeeping.report_outcomes()
            self.housekeeping.prune()
        except (psycopg2.Error, PoolExhausted) as error:
            log.warning("sweep_waits_for_postgresql", reason=type(error).__name__)

    def _run(self) -> None:
        while not self._stop.wait(_INTERVAL_SECONDS):
            self.look_or_wait()

    def _move_retries(self) -> None:
        """Queue the jobs that are to run again; RQ's scheduler would be a process that outlives a killed worker."""
        scheduler = RQScheduler([Queue(QUEUE, connection=self.redis)], connection=self.redis, serializer="json")
        scheduler.prepare_registries([QUEUE])
        scheduler.enqueue_scheduled_jobs()  # type: ignore[no-untyped-call]

    def _queue_overdue(self) -> None:
        # One job, however many mails wait: it delivers all that are due.
        email_id = self.delivery.store.find_overdue()
        if email_id is not None:
            queue_job(self.redis, email_id)
            log.info("sweep_rang", email_id=email_id)
