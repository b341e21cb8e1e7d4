"""Keep the tables small: report outcomes, and delete rows that are no longer needed, a batch at a time."""

import time
from dataclasses import dataclass, field

import psycopg2
import structlog

from jobs.delivery.deliver import Delivery
from sql.pool import PoolExhausted
from sql.queries import appointments, emails, idempotency, tokens

log = structlog.get_logger(__name__)

_EVERY_SECONDS = 60.0
_BATCH = 1000


@dataclass
class Housekeeping:
    """Do what a worker does in addition to delivering mails."""

    delivery: Delivery
    _next: float = field(default_factory=time.monotonic, init=False)

    def report_outcomes(self) -> None:
        """Add the outcomes that this process has counted to the totals."""
        seen = self.delivery.settlement.outcomes.take()
        if not seen:
            return
        try:
            with self.delivery.database.statement() as tx:
                emails.upsert_outcomes(tx, outcomes=list(seen), counts=list(seen.values()))
        except (psycopg2.Error, PoolExhausted):
            for outcome, count in seen.items():
                self.delivery.settlement.outcomes.add(outcome, count)
            raise

    def prune(self) -> None:
        """Once a minute, delete a batch of old rows, and log the kinds of mail that wait for a newer worker.

        After a full batch the next one follows at the next look, without the wait.
        """
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _EVERY_SECONDS
        for kind, count in self.delivery.store.find_unknown_kinds().items():
            log.warning("emails_of_unknown_kind_wait", kind=kind, count=count)
        for delete in (
            emails.delete_sent_emails,
            emails.delete_superseded_emails,
            idempotency.delete_old_answers,
            idempotency.delete_old_guest_answers,
            tokens.delete_expired_tokens,
            appointments.delete_old_holds,
            appointments.delete_free_allowances,
        ):
            with self.delivery.database.statement() as tx:
                if delete(tx, limit=_BATCH) == _BATCH:
                    self._next = time.monotonic()
