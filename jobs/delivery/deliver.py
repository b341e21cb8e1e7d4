"""Deliver the mails of the outbox: claim, render, offer to the provider, settle.

No connection is held while the provider answers. The leases of a worker that is killed run out; a worker that was
stopped for longer than its lease finds a newer fence and changes nothing.
"""

import math
import threading
import time
from dataclasses import dataclass, field
from functools import cache

import psycopg2
import structlog
from rq import Retry

from jobs.delivery.email_store import EmailStore
from jobs.delivery.preparation import Preparation
from jobs.delivery.retry import RetryPolicy
from jobs.delivery.sender_pool import SenderPool
from jobs.delivery.settlement import Settlement
from jobs.providers.factory import make_provider
from jobs.providers.provider import Provider
from jobs.settings import EmailSettings, read_delivery_settings
from sql.database import Database
from sql.pool import PoolExhausted, Session

log = structlog.get_logger(__name__)

# How long one job goes on while mails are due; then RQ fetches the next one.
DRAIN_SECONDS = 10
# How often it looks for mails that become due while others are being offered.
LOOK_SECONDS = 0.1
# A job waits for a rate slot that is free this soon; a limit of many mails a second has a window of one second.
SLOT_WAIT_SECONDS = 1.0
# A job that finds PostgreSQL away is run again this soon, this often.
AWAY_SECONDS, AWAY_RETRIES = 2, 10
# RQ runs a job again for what is due this soon; the sweep finds what is due later.
NEAR_SECONDS, NEAR_RETRIES = 30, 1000


@dataclass(slots=True)
class Delivery:
    """Hold what a worker delivers mails with."""

    store: EmailStore
    preparation: Preparation
    settlement: Settlement
    pool: SenderPool
    _drains: threading.Lock = field(default_factory=threading.Lock, init=False)
    # No Event: a signal handler that sets one would deadlock with a wait for it in the same thread.
    is_stopping: bool = field(default=False, init=False)

    @property
    def database(self) -> Database:
        """Return the database of this worker."""
        return self.store.database

    def drain(self) -> float | None:
        """Offer all that is due, the oldest first; return the seconds until more is due soon, if that is known."""
        with self._drains:
            return _Drain(self).run()

    def stop(self) -> None:
        """Finish the mails that are being offered and claim no others."""
        self.is_stopping = True


@dataclass(slots=True)
class _Drain:
    """Offer what is due for some seconds, and remember when to look again."""

    delivery: Delivery
    _waits: list[float] = field(default_factory=list)
    _faults: list[BaseException] = field(default_factory=list)
    _until: float = field(default_factory=lambda: time.monotonic() + DRAIN_SECONDS)
    _looked_at: float = -math.inf

    def run(self) -> float | None:
        """Go on until nothing is due and every mail is settled."""
        try:
            while self._offer_more() or not self._pool.is_idle or self._wait_for_slot():
                self._settle()
        finally:
            # The provider has these mails, whatever was raised here: their outcomes are recorded.
            while not self._pool.is_idle:
                self._settle()
        if self._faults:
            raise self._faults[0]
        return min(self._waits, default=None) if time.monotonic() < self._until else 0.0

    @property
    def _pool(self) -> SenderPool:
        return self.delivery.pool

    @property
    def _is_over(self) -> bool:
        return self.delivery.is_stopping or time.monotonic() > self._until

    def _offer_more(self) -> bool:
        """Claim mails for the free threads and offer them; tell whether some were due."""
        now = time.monotonic()
        # A claim for one thread costs as much as one for all of them.
        is_worth_it = self._pool.free >= self._pool.size / 2 or now > self._looked_at + LOOK_SECONDS
        if self._is_over or not self._pool.free or not is_worth_it:
            return False
        self._looked_at = now
        rows = self.delivery.store.claim(self._pool.free)
        for mail in self.delivery.preparation.prepare(rows, claimed_at=now):
            self._pool.offer(mail)
        return bool(rows)

    def _wait_for_slot(self) -> bool:
        """Wait for the next rate slot if it is free soon; tell whether it did."""
        if self._is_over or (wait := self.delivery.store.find_slot()) is None:
            return False
        if wait > SLOT_WAIT_SECONDS:
            self._waits.append(wait)
            return False
        time.sleep(wait)
        return True

    def _settle(self) -> None:
        answers = self._pool.answers(within=LOOK_SECONDS)
        self._waits += self.delivery.settlement.settle(answers)
        self._faults += [answer.fault for answer in answers if answer.fault]


def make_delivery(
    database: Database, settings: EmailSettings, provider: Provider, policy: RetryPolicy | None = None
) -> Delivery:
    """Return a delivery over a database by a provider."""
    store = EmailStore(database, settings)
    settlement = Settlement(store, policy or RetryPolicy(attempts=settings.retry_attempts))
    return Delivery(
        store, Preparation(settlement, settings.sender), settlement, SenderPool(provider, settings.concurrency)
    )


@cache
def delivery() -> Delivery:
    """Return the delivery of this process, made when it is first needed."""
    settings = read_delivery_settings()
    database = Database(settings.database_url, size=2, session=Session("worker", prepares=settings.prepares))
    return make_delivery(database, settings.email, make_provider(settings.email))


def deliver_email(email_id: int) -> Retry | None:
    """Deliver an e-mail and all others that are due; the function of the jobs on the queue.

    Running it twice sends once. RQ runs it again for a mail that is due again soon; the sweep finds what is due later.
    """
    try:
        wait = delivery().drain()
    except (psycopg2.Error, PoolExhausted) as error:
        log.warning("delivery_waits_for_postgresql", email_id=email_id, reason=type(error).__name__)
        return Retry(max=AWAY_RETRIES, interval=AWAY_SECONDS)
    if wait is None or wait > NEAR_SECONDS:
        return None
    return Retry(max=NEAR_RETRIES, interval=math.ceil(wait))
