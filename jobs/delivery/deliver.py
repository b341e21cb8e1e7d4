"""Deliver what the outbox promises: claim, render, offer to the provider, settle.

No connection is held while the provider answers. A worker that is killed leaves leases that run out; one that slept
through a lease finds a newer fence and changes nothing.
"""

import math
import threading
import time
from dataclasses import dataclass, field
from functools import cache

import psycopg2
import structlog
from rq import Retry

from jobs.delivery.email_store import Ledger
from jobs.delivery.outcomes import Outcomes
from jobs.delivery.retry import RetryPolicy
from jobs.delivery.sender_pool import Hand
from jobs.providers.factory import make_provider
from jobs.settings import read_delivery_settings
from sql.database import Database
from sql.pool import PoolExhausted, Session

log = structlog.get_logger(__name__)

# How long one job goes on as long as mails are due; then RQ has its turn.
CHAIN_SECONDS = 10
# While mails are in hand others may become due: how long they wait at most.
LOOK_SECONDS = 0.1
# The rate limit is waited for in place when it takes no longer; a limit of many mails a second has a window of one.
MOMENT_SECONDS = 1.0
# A job that found PostgreSQL away comes back soon.
AWAY_SECONDS, AWAY_RETRIES = 2, 10
# RQ's own retry carries the near retries; what is due later waits for the sweep.
NEAR_SECONDS, NEAR_RETRIES = 30, 1000


@dataclass(slots=True)
class Delivery:
    """Everything that mails need to get out: the ledger, and a hand that offers them."""

    ledger: Ledger
    hand: Hand
    _alone: threading.Lock = field(default_factory=threading.Lock, init=False)
    # No Event: a signal may say so while the same thread waits for that very Event.
    is_stopping: bool = field(default=False, init=False)

    @property
    def database(self) -> Database:
        """Return the database of this worker."""
        return self.ledger.database

    @property
    def outcomes(self) -> Outcomes:
        """Return what was seen of the provider."""
        return self.ledger.outcomes

    def drain(self) -> float | None:
        """Offer all that is due, the oldest first; return the seconds until more is due soon, if that is known."""
        with self._alone:
            return _Drain(self).run()

    def stop(self) -> None:
        """Finish the mails in hand and take no other."""
        self.is_stopping = True


@dataclass(slots=True)
class _Drain:
    """One round of a worker: what was seen, and when to look again."""

    delivery: Delivery
    _waits: list[float] = field(default_factory=list)
    _faults: list[BaseException] = field(default_factory=list)
    _until: float = field(default_factory=lambda: time.monotonic() + CHAIN_SECONDS)
    _looked_at: float = -math.inf

    def run(self) -> float | None:
        """Go on until nothing is due and no mail is in hand."""
        try:
            while self._take_more() or not self._hand.is_empty or self._wait_for_slot():
                self._settle()
        finally:
            # Whatever ends this, the provider has those mails, and will not forget them.
            while not self._hand.is_empty:
                self._settle()
        if self._faults:
            raise self._faults[0]
        return min(self._waits, default=None) if time.monotonic() < self._until else 0.0

    @property
    def _hand(self) -> Hand:
        return self.delivery.hand

    @property
    def _is_over(self) -> bool:
        return self.delivery.is_stopping or time.monotonic() > self._until

    def _take_more(self) -> bool:
        """Take mails in hand as far as there is room; tell whether some were due."""
        now = time.monotonic()
        # A claim for one thread costs as much as one for all of them.
        is_worth_it = self._hand.room >= self._hand.size / 2 or now > self._looked_at + LOOK_SECONDS
        if self._is_over or not self._hand.room or not is_worth_it:
            return False
        self._looked_at = now
        rows = self.delivery.ledger.claim(self._hand.room)
        for mail in self.delivery.ledger.prepare(rows, claimed_at=now):
            self._hand.take(mail)
        return bool(rows)

    def _wait_for_slot(self) -> bool:
        """Wait for the rate limit if that takes a moment only; tell whether it did."""
        if self._is_over or (wait := self.delivery.ledger.find_slot()) is None:
            return False
        if wait > MOMENT_SECONDS:
            self._waits.append(wait)
            return False
        time.sleep(wait)
        return True

    def _settle(self) -> None:
        answers = self._hand.answers(within=LOOK_SECONDS)
        self._waits += self.delivery.ledger.settle(answers)
        self._faults += [answer.fault for answer in answers if answer.fault]


@cache
def delivery() -> Delivery:
    """Return the delivery of this process, made when it is first needed."""
    settings = read_delivery_settings()
    database = Database(settings.database_url, size=2, session=Session("worker", prepares=settings.prepares))
    ledger = Ledger(database, settings.email, RetryPolicy(attempts=settings.email.retry_attempts))
    return Delivery(ledger, Hand(make_provider(settings.email), settings.email.concurrency))


def deliver_email(email_id: int) -> Retry | None:
    """Deliver an e-mail, and with it all that is due; the job that the doorbell puts on the queue.

    Running it twice sends once. What fails for now comes back through RQ's retry when it is due soon, through the
    sweep otherwise.
    """
    try:
        wait = delivery().drain()
    except (psycopg2.Error, PoolExhausted) as error:
        log.warning("delivery_waits_for_postgresql", email_id=email_id, reason=type(error).__name__)
        return Retry(max=AWAY_RETRIES, interval=AWAY_SECONDS)
    if wait is None or wait > NEAR_SECONDS:
        return None
    return Retry(max=NEAR_RETRIES, interval=math.ceil(wait))
