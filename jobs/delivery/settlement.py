"""Record the answers of the provider, and decide when a mail that was not accepted is offered again."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from jobs.delivery.email_store import EmailStore
from jobs.delivery.outcomes import Outcomes
from jobs.delivery.retry import RetryPolicy
from jobs.delivery.sender_pool import Answer, LeaseEnding
from jobs.providers.provider import DeliveryError
from sql.queries import Row

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Settlement:
    """Settle mails by a retry policy, log each and count the outcomes."""

    store: EmailStore
    policy: RetryPolicy
    outcomes: Outcomes = field(default_factory=Outcomes)

    def settle(self, answers: Sequence[Answer]) -> list[float]:
        """Record answers; return the seconds until the next attempts of mails that were not accepted."""
        self._settle_sent([answer for answer in answers if answer.error is None])
        waits = []
        for answer in answers:
            if isinstance(answer.error, DeliveryError):
                waits.append(self.settle_failed(answer.mail.row, answer.error))
            elif isinstance(answer.error, LeaseEnding):
                log_lost_lease(answer.mail.row)
        return [wait for wait in waits if wait is not None]

    def settle_failed(self, row: Row, error: DeliveryError) -> float | None:
        """Record a failure; return the seconds until the next attempt, or None for a mail that is dead."""
        step = self.policy.next_step(
            error.failure,
            rejections=row["rejections"],
            tries=row["attempts"],
            age_seconds=row["age_seconds"],
            retry_after=error.retry_after,
            jitter=random.random(),  # noqa: S311 - spreads retries, protects nothing
        )
        self.store.settle_failed(row, error, step)
        self.outcomes.add(error.failure.value)
        bound = _log_of(row)
        report = bound.error if step.dead or step.alarm else bound.warning
        report(
            "email_dead" if step.dead else "email_deferred",
            failure=error.failure.value,
            reason=error.reason,
            wait_seconds=round(step.wait_seconds, 1),
        )
        return None if step.dead else step.wait_seconds

    def _settle_sent(self, answers: Sequence[Answer]) -> None:
        if not answers:
            return
        rows = [answer.mail.row for answer in answers]
        settled = self.store.settle_sent(rows, [answer.provider_message_id or None for answer in answers])
        self.outcomes.add("sent", len(rows))
        for row in rows:
            if row["id"] in settled:
                _log_of(row).info("email_sent")
            else:
                log_lost_lease(row)


def log_lost_lease(row: Row) -> None:
    """Log that the lease of a mail ran out before its attempt was over."""
    _log_of(row).info("email_lease_lost")


def _log_of(row: Row) -> Any:
    return log.bind(email_id=row["id"], kind=row["kind"], attempt=row["attempts"], request_id=row["request_id"])
