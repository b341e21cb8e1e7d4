"""The worker that `rq worker` runs: RQ's own, made to outlive Redis, with the sweep beside it.

Jobs run in the worker's own process. A work-horse per job would cost a fork a mail, live on after its worker is killed
and share what was opened before the fork; the lease protects a mail in hand without it.
"""

import os
import threading
import time
import uuid
from types import FrameType
from typing import Any, Self, cast

import structlog
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.exceptions import StopRequested
from rq.job import Job

from jobs.analytics.rollup import make_rollup
from jobs.connection import connect_redis, redis_options
from jobs.delivery.deliver import delivery
from jobs.delivery.housekeeping import Housekeeping
from jobs.delivery.sweep import Sweep
from jobs.doorbell import JOBS
from jobs.logs import configure_logging
from jobs.settings import DeliverySettings, read_delivery_settings

log = structlog.get_logger(__name__)

# How long RQ waits for a job at a time, and so how long a silent Redis can hold the worker, in seconds.
_WORKER_TTL = 20
_SWEEP_PATIENCE = 1.0
# An attempt is over within its lease; what is not over by then is taken over by another worker.
_GRACE_SECONDS = 20


class PatientRedis(Redis):
    """Redis as the worker sees it: until it answers, what is due is delivered without it."""

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """Connect, however long it takes."""
        settings = read_delivery_settings()
        configure_logging(in_production=settings.in_production)
        options |= redis_options(settings.redis, patience=2.0)
        client = cast("Self", super().from_url(url, **options))
        sweep = make_sweep(settings)
        while not _answers(client):
            sweep.look_or_wait()
            time.sleep(1)
        return client


class DeliveryWorker(SimpleWorker):
    """RQ's worker with a sweep, which loses its connection to Redis without losing heart."""

    # RQ would wait up to a minute before it looks whether Redis is back.
    max_connection_wait_time = 2.0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Take RQ's own arguments."""
        options |= {"worker_ttl": _WORKER_TTL, "default_worker_ttl": None}
        super().__init__(*arguments, **options)
        self._sweep = make_sweep(read_delivery_settings())
        self._rollup = make_rollup(read_delivery_settings())

    def work(self, *arguments: Any, **options: Any) -> bool:
        """Work until told to stop; start over whenever Redis comes back."""
        self._sweep.start()
        self._rollup.start()
        log.info("worker_started", pid=os.getpid())
        _warn_of_mock()
        worked = False
        try:
            while True:
                try:
                    worked = super().work(*arguments, **options) or worked
                except RedisError as error:
                    log.warning("worker_waits_for_redis", reason=type(error).__name__)
                if self._shutdown_requested_date is not None or options.get("burst"):
                    return worked
                self._wait_for_redis()
        except StopRequested:
            # Told to stop while it waited for Redis.
            return worked
        finally:
            self._sweep.stop(within=_GRACE_SECONDS)
            self._rollup.stop(within=_GRACE_SECONDS)

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Run a job; when Redis leaves meanwhile, the row knows what was done.

        A job names its function: whoever can write to Redis could run any. Ours is the only one that is run.
        """
        try:
            if job.func_name not in JOBS:
                log.error("job_refused", job_id=job.id)
                job.delete()
                return
            super().execute_job(job, queue)
        except RedisError as error:
            log.warning("job_unreported", job_id=job.id, reason=type(error).__name__)

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """Finish the mails in hand, then stop; whatever hangs longer than the grace is cut off."""
        delivery().stop()
        watchdog = threading.Timer(_GRACE_SECONDS, os._exit, [0])
        watchdog.daemon = True
        watchdog.start()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def _wait_for_redis(self) -> None:
        while not _answers(self.connection):
            time.sleep(1)
        # RQ refuses the name of a worker that it did not see die.
        self.name = uuid.uuid4().hex


def make_sweep(settings: DeliverySettings) -> Sweep:
    """Return a sweep over the outbox of this process."""
    redis = connect_redis(settings.redis, patience=_SWEEP_PATIENCE)
    return Sweep(delivery(), redis, Housekeeping(delivery()))


def _warn_of_mock() -> None:
    settings = read_delivery_settings()
    if settings.in_production and settings.email.provider == "mock":
        log.warning("emails_go_nowhere", setting="EMAIL_PROVIDER", value="mock")


def _answers(redis: Redis) -> bool:
    try:
        return bool(redis.ping())
    except RedisError:
        return False
