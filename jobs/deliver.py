"""Deliver what the outbox promises: claim, render, offer to the provider, settle.

No connection is held while the provider answers. A worker that is killed leaves a lease that runs out; one that slept
through its lease finds a newer fence and changes nothing.
"""

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import psycopg2
import structlog
from psycopg2.errors import ReadOnlySqlTransaction
from rq import Retry

from jobs.outcomes import Outcomes
from jobs.providers.factory import make_provider
from jobs.providers.provider import DeliveryError, Failure, Message, Provider
from jobs.rendering import RenderingError, render
from jobs.retry import RetryPolicy
from jobs.settings import EmailSettings, read_delivery_settings
from sql.database import Database
from sql.pool import PoolExhausted, Session
from sql.queries import Row, emails

log = structlog.get_logger(__name__)

# Longer than the longest attempt, so that nobody offers a mail that somebody else is still offering.
LEASE_SECONDS = 15
# How long one job goes on with the mails that waited for its own; the sweep rings for the rest.
CHAIN_SECONDS = 10
# How long an outcome waits for PostgreSQL to come back; settling twice changes nothing, because the first one wins.
SETTLE_SECONDS = 12
# A job that found PostgreSQL away comes back soon; the sweep would look again only when it thinks the job is lost.
AWAY_SECONDS, AWAY_RETRIES = 2, 10
# What passes: away, restarting, out of connections, silent, read-only.
_AWAY = (psycopg2.OperationalError, psycopg2.InterfaceError, ReadOnlySqlTransaction, PoolExhausted)
# RQ's own retry carries the near retries; what is due later waits for the sweep.
NEAR_SECONDS = 30


@dataclass(slots=True)
class Delivery:
    """Everything an attempt needs."""

    database: Database
    provider: Provider
    settings: EmailSettings
    policy: RetryPolicy
    outcomes: Outcomes = field(default_factory=Outcomes, init=False)
    _has_slots: bool = field(default=False, init=False)

    def deliver(self, email_id: int) -> float | None:
        """Offer one mail, and then those that waited for it; return the seconds until its retry, if it needs one."""
        wait: float | None = None
        next_id: int | None = email_id
        until = time.monotonic() + CHAIN_SECONDS
        while next_id is not None and time.monotonic() < until:
            rows = self._claim([next_id])
            if not rows:
                break
            outcome = self._offer(rows[0])
            if next_id == email_id:
                wait = outcome.wait
            next_id = outcome.follower_id
        return wait

    def deliver_due(self, limit: int) -> int:
        """Offer whatever is due, without being rung for; return how many were offered."""
        offered = 0
        while offered < limit and (rows := self._claim(None)):
            self._offer(rows[0])
            offered += 1
        return offered

    def _claim(self, email_ids: list[int] | None) -> list[Row]:
        self._make_slots_once()
        with self.database.statement() as tx:
            rows: list[Row] = emails.claim_emails(
                tx,
                email_ids=email_ids,
                limit=1,
                lease_seconds=LEASE_SECONDS,
                rate_slots=self.settings.rate_slots,
                rate_window=self.settings.rate_window,
            )
        return rows

    def _make_slots_once(self) -> None:
        """Make sure that the rate limit has its slots before anything is sent."""
        if not self._has_slots:
            with self.database.statement() as tx:
                emails.insert_rate_slots(tx, rate_slots=self.settings.rate_slots)
            self._has_slots = True

    def _offer(self, row: Row) -> "_Outcome":
        bound = log.bind(email_id=row["id"], kind=row["kind"], attempt=row["attempts"], request_id=row["request_id"])
        try:
            if row["age_seconds"] > self.policy.horizon_seconds:
                raise DeliveryError("Its time ran out before it could be delivered.", Failure.PERMANENT)
            message = self._message(row)
            if message is None:
                bound.info("email_lease_lost")
                return _Outcome(None, None)
            provider_message_id = self.provider.send(message)
        except DeliveryError as error:
            return self._settle_failed(row, error, bound)
        settled = self._settle(
            emails.settle_sent,
            email_id=row["id"],
            fence=row["fence"],
            provider_message_id=provider_message_id or None,
        )
        self.outcomes.add("sent")
        bound.info("email_sent" if settled else "email_lease_lost")
        return _Outcome(None, settled["follower_id"] if settled else None)

    def _settle_failed(self, row: Row, error: DeliveryError, bound: Any) -> "_Outcome":
        step = self.policy.next_step(
            error.failure,
            rejections=row["rejections"],
            tries=row["attempts"],
            age_seconds=row["age_seconds"],
            retry_after=error.retry_after,
            jitter=random.random(),  # noqa: S311 - spreads retries, protects nothing
        )
        settled = self._settle(
            emails.settle_failed,
            email_id=row["id"],
            fence=row["fence"],
            failure=error.failure.value,
            error=f"{error.reason} {step.reason}".strip(),
            wait_seconds=step.wait_seconds,
            rejected=int(step.costs_attempt),
            dead=step.dead,
        )
        self.outcomes.add(error.failure.value)
        report = bound.error if step.dead or step.alarm else bound.warning
        report(
            "email_dead" if step.dead else "email_deferred",
            failure=error.failure.value,
            reason=error.reason,
            wait_seconds=round(step.wait_seconds, 1),
        )
        return _Outcome(None if step.dead else step.wait_seconds, settled["follower_id"] if settled else None)

    def _settle(self, statement: Callable[..., Row | None], **parameters: Any) -> Row | None:
        """Record an outcome; while PostgreSQL is away try again, because the provider will not forget it either."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            try:
                with self.database.statement() as tx:
                    return statement(tx, rate_window=self.settings.rate_window, **parameters)
            except _AWAY:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def _message(self, row: Row) -> Message | None:
        """Return the mail as it was first rendered; None when the lease was lost before it ever was."""
        if row["subject"] is None:
            try:
                rendered = render(row["kind"], row["data"])
            except RenderingError as error:
                raise DeliveryError(str(error), Failure.PERMANENT) from error
            row |= {
                "sender": self.settings.sender,
                "subject": rendered.subject,
                "text_body": rendered.text,
                "html_body": rendered.html,
            }
            with self.database.statement() as tx:
                kept = emails.keep_rendering(
                    tx,
                    email_id=row["id"],
                    fence=row["fence"],
                    sender=row["sender"],
                    subject=rendered.subject,
                    text_body=rendered.text,
                    html_body=rendered.html,
                )
            if not kept:
                return None
        return Message(
            email_id=row["id"],
            kind=row["kind"],
            sender=row["sender"],
            to=row["recipient"],
            subject=row["subject"],
            text=row["text_body"],
            html=row["html_body"],
            idempotency_key=row["idempotency_key"],
            created_at=row["created_at"],
        )


@dataclass(frozen=True, slots=True)
class _Outcome:
    wait: float | None
    follower_id: int | None


@cache
def delivery() -> Delivery:
    """Return the delivery of this process, made when it is first needed."""
    settings = read_delivery_settings()
    return Delivery(
        database=Database(settings.database_url, size=2, session=Session("worker")),
        provider=make_provider(settings.email),
        settings=settings.email,
        policy=RetryPolicy(attempts=settings.email.retry_attempts),
    )


def deliver_email(email_id: int) -> Retry | None:
    """Deliver one e-mail; the job that the doorbell puts on the queue.

    Running it twice sends once. What fails for now comes back through RQ's retry when it is due soon, through the
    sweep otherwise.
    """
    try:
        wait = delivery().deliver(email_id)
    except (psycopg2.Error, PoolExhausted) as error:
        log.warning("delivery_waits_for_postgresql", email_id=email_id, reason=type(error).__name__)
        return Retry(max=AWAY_RETRIES, interval=AWAY_SECONDS)
    if wait is None or wait > NEAR_SECONDS:
        return None
    return Retry(max=delivery().settings.retry_attempts, interval=math.ceil(wait))
