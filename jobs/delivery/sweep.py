"""The sweep finds rows that nobody rang for, or whose worker died, and rings again; without Redis it delivers itself.

It runs as a thread of every worker. Any number may run at once: a row is rung for by one of them.
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
from jobs.doorbell import ring
from sql.pool import PoolExhausted

log = structlog.get_logger(__name__)

_INTERVAL_SECONDS = 1.0


@dataclass
class Sweep:
    """One look at the outbox every second."""

    delivery: Delivery
    redis: Redis
    housekeeping: Housekeeping
    _stop: threading.Event = field(default_factory=threading.Event, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)

    def start(self) -> None:
        """Look every second from now on, in a thread."""
        self._thread = threading.Thread(target=self._look_on, name="sweep", daemon=True)
        self._thread.start()

    def stop(self, *, within: float) -> None:
        """Finish the mails in hand, if there are any, and stop; wait at most `within` seconds."""
        self._stop.set()
        self.delivery.stop()
        if self._thread is not None:
            self._thread.join(within)

    def look(self) -> None:
        """Ring for what waits unheard; deliver it here when Redis cannot be told."""
        try:
            self._move_retries()
            self._ring()
        except RedisError:
            self.delivery.drain()

    def look_or_wait(self) -> None:
        """Look, and do the work beside it; while PostgreSQL is away there is nothing to do."""
        try:
            self.look()
            self.housekeeping.report_outcomes()
            self.housekeeping.prune()
        except (psycopg2.Error, PoolExhausted) as error:
            log.warning("sweep_waits_for_postgresql", reason=type(error).__name__)

    def _look_on(self) -> None:
        while not self._stop.wait(_INTERVAL_SECONDS):
            self.look_or_wait()

    def _move_retries(self) -> None:
        """Do the work of RQ's scheduler, which would be a process of its own that outlives a killed worker."""
        scheduler = RQScheduler([Queue(QUEUE, connection=self.redis)], connection=self.redis, serializer="json")
        scheduler.prepare_registries([QUEUE])
        scheduler.enqueue_scheduled_jobs()  # type: ignore[no-untyped-call]

    def _ring(self) -> None:
        # One ring, however many wait: who answers it takes all that is due.
        email_id = self.delivery.store.find_overdue()
        if email_id is not None:
            ring(self.redis, email_id)
            log.info("sweep_rang", email_id=email_id)
