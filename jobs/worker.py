"""The worker that `rq worker` runs: RQ's own, which goes on while Redis is away and runs the sweep in a thread.

Jobs run in the worker's own process. A work-horse would cost a fork for each job, go on after its worker is killed and
share what was opened before the fork. The lease protects a mail that is being offered without one.
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

# How long RQ waits for a job at a time, and so how long a Redis that does not answer can block the worker, in seconds.
_WORKER_TTL = 20
_SWEEP_TIMEOUT = 1.0
# An attempt ends within its lease; after that another worker may claim the mail.
_GRACE_SECONDS = 20


class WaitingRedis(Redis):
    """Connect to Redis when the worker starts; until Redis answers, deliver what is due without it."""

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """Return a client once Redis answers, however long that takes."""
        settings = read_delivery_settings()
        configure_logging(in_production=settings.in_production)
        options |= redis_options(settings.redis, timeout=2.0)
        client = cast("Self", super().from_url(url, **options))
        sweep = make_sweep(settings)
        while not _answers(client):
            sweep.look_or_wait()
            time.sleep(1)
        return client


class DeliveryWorker(SimpleWorker):
    """Run RQ's worker with a sweep and a rollup; reconnect to Redis whenever the connection is lost."""

    # RQ would wait up to a minute before it tries to reconnect.
    max_connection_wait_time = 2.0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Take the arguments of RQ's worker."""
        options |= {"worker_ttl": _WORKER_TTL, "default_worker_ttl": None}
        super().__init__(*arguments, **options)
        self._sweep = make_sweep(read_delivery_settings())
        self._rollup = make_rollup(read_delivery_settings())

    def work(self, *arguments: Any, **options: Any) -> bool:
        """Work until told to stop; start again whenever Redis is back."""
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
            # It was told to stop while it waited for Redis.
            return worked
        finally:
            self._sweep.stop(within=_GRACE_SECONDS)
            self._rollup.stop(within=_GRACE_SECONDS)

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Run a job; when Redis goes away meanwhile, the row holds the result.

        A job names its function, so whoever can write to Redis could have any run. Only ours is run.
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
        """Finish the mails that are being offered, then stop; end the process when that takes too long."""
        delivery().stop()
        watchdog = threading.Timer(_GRACE_SECONDS, os._exit, [0])
        watchdog.daemon = True
        watchdog.start()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def _wait_for_redis(self) -> None:
        while not _answers(self.connection):
            time.sleep(1)
        # RQ refuses the name of a worker that has not ended properly.
        self.name = uuid.uuid4().hex


def make_sweep(settings: DeliverySettings) -> Sweep:
    """Return the sweep of this process."""
    redis = connect_redis(settings.redis, timeout=_SWEEP_TIMEOUT)
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
