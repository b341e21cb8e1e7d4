"""What a worker writes into the outbox: its claims, the renderings that are kept, and what became of the mails."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psycopg2
import structlog
from psycopg2.errors import ReadOnlySqlTransaction

from jobs.addresses import mailbox_to_ascii, to_ascii
from jobs.delivery.outcomes import Outcomes
from jobs.delivery.retry import RetryPolicy
from jobs.delivery.sender_pool import Answer, LeaseEnding, Mail
from jobs.kinds import KINDS
from jobs.mails.invitations import METHODS, write_invitation
from jobs.mails.rendering import RenderingError, render
from jobs.mails.reply_to import find_reply_to
from jobs.providers.provider import DeliveryError, Failure, Message
from jobs.settings import EmailSettings
from sql.database import Database
from sql.pool import PoolExhausted
from sql.queries import Row, emails

log = structlog.get_logger(__name__)

# Longer than the longest attempt, so that nobody offers a mail that somebody else is still offering.
LEASE_SECONDS = 15
# An attempt takes up to ten seconds: one that began later could outlast the lease.
OFFER_WITHIN_SECONDS = 4
# How long an outcome waits for PostgreSQL to come back; settling twice changes nothing, because the first one wins.
SETTLE_SECONDS = 12
# How long a mail waits for its ring before the sweep rings for it.
PATIENCE_SECONDS = 2
# How far from the front of the line followers are looked for.
_FRONT = 500
# What passes: away, restarting, out of connections, silent, read-only.
_AWAY = (psycopg2.OperationalError, psycopg2.InterfaceError, ReadOnlySqlTransaction, PoolExhausted)

Result = TypeVar("Result")


@dataclass(slots=True)
class Ledger:
    """The outbox as a worker keeps it, many mails at a time: a statement costs more than a row."""

    database: Database
    settings: EmailSettings
    policy: RetryPolicy
    outcomes: Outcomes = field(default_factory=Outcomes)
    # A kind that this release does not know is left for a worker of a newer one.
    kinds: list[str] = field(default_factory=lambda: sorted(KINDS))
    _has_slots: bool = field(default=False, init=False)

    def claim(self, limit: int) -> list[Row]:
        """Claim the mails that are due longest, class by class, as many as the rate limit allows."""
        self._make_slots_once()
        with self.database.statement() as tx:
            rows: list[Row] = emails.claim_emails(
                tx,
                kinds=self.kinds,
                limit=limit,
                lease_seconds=LEASE_SECONDS,
                rate_slots=self.settings.rate_slots,
                reserved_slots=self.settings.reserved_slots,
                rate_window=self.settings.rate_window,
            )
        return rows

    def prepare(self, rows: Sequence[Row], claimed_at: float) -> list[Mail]:
        """Render mails that never were, and keep that; return those that may be offered."""
        known: list[Row] = []
        rendered: list[Row] = []
        for row in rows:
            try:
                (rendered if self._render(row) else known).append(row)
            except DeliveryError as error:
                self._settle_failed(row, error)
        kept = self._keep(rendered)
        for row in rendered:
            if row["id"] not in kept:
                _about(row).info("email_lease_lost")
        ready = [*known, *(row for row in rendered if row["id"] in kept)]
        return [Mail(row, _message(row), claimed_at + OFFER_WITHIN_SECONDS) for row in ready]

    def settle(self, answers: Sequence[Answer]) -> list[float]:
        """Record what became of mails; return the seconds until their next attempts."""
        self._settle_sent([answer for answer in answers if answer.error is None])
        waits = []
        for answer in answers:
            if isinstance(answer.error, DeliveryError):
                waits.append(self._settle_failed(answer.mail.row, answer.error))
            elif isinstance(answer.error, LeaseEnding):
                _about(answer.mail.row).info("email_lease_lost")
        return [wait for wait in waits if wait is not None]

    def find_slot(self) -> float | None:
        """Return the seconds until a mail that is due may be offered, if it waits for the rate limit only."""
        with self.database.statement() as tx:
            seconds: float | None = emails.select_seconds_to_slot(
                tx,
                kinds=self.kinds,
                rate_slots=self.settings.rate_slots,
                reserved_slots=self.settings.reserved_slots,
            )
        return seconds

    def find_overdue(self) -> int | None:
        """Return a mail that nobody came for, if there is one."""
        self._make_slots_once()
        with self.database.statement() as tx:
            emails.postpone_followers(tx, kinds=self.kinds, limit=_FRONT)
        with self.database.statement() as tx:
            email_id: int | None = emails.select_overdue_email(
                tx,
                kinds=self.kinds,
                patience_seconds=PATIENCE_SECONDS,
                rate_slots=self.settings.rate_slots,
                reserved_slots=self.settings.reserved_slots,
            )
        return email_id

    def find_unknown_kinds(self) -> dict[str, int]:
        """Return how many mails are due of each kind that this release does not know."""
        with self.database.statement() as tx:
            return {row["kind"]: row["count"] for row in emails.select_unknown_kinds(tx, kinds=self.kinds)}

    def _make_slots_once(self) -> None:
        """Make sure that the rate limit has its slots before anything is sent."""
        if not self._has_slots:
            with self.database.statement() as tx:
                emails.insert_rate_slots(tx, rate_slots=self.settings.rate_slots)
            self._has_slots = True

    def _render(self, row: Row) -> bool:
        """Complete a row that was never rendered; tell whether it was one.

        Raises DeliveryError.
        """
        # Without a failure on record nobody knows of an offer: there is to be one.
        if row["last_failure"] is not None and self.policy.expired(row["age_seconds"]):
            raise DeliveryError("Its time ran out before it could be delivered.", Failure.PERMANENT)
        try:
            row["recipient"] = recipient = to_ascii(row["recipient"])
        except ValueError as error:
            raise DeliveryError("The domain of the address is none.", Failure.PERMANENT) from error
        if row["subject"] is not None:
            return False
        kind, data, sender = row["kind"], row["data"], mailbox_to_ascii(self.settings.sender)
        try:
            rendered = render(kind, data)
            calendar = write_invitation(kind, data, sender=sender, recipient=recipient, created_at=row["created_at"])
        except RenderingError as error:
            raise DeliveryError(str(error), Failure.PERMANENT) from error
        row |= {
            "sender": sender,
            "reply_to": find_reply_to(data, recipient),
            "subject": rendered.subject,
            "text_body": rendered.text,
            "html_body": rendered.html,
            "calendar": calendar,
            "calendar_method": METHODS[kind] if calendar else None,
        }
        return True

    def _keep(self, rows: Sequence[Row]) -> set[int]:
        """Keep renderings; return the mails that are still ours."""
        if not rows:
            return set()
        with self.database.statement() as tx:
            kept = emails.keep_renderings(
                tx,
                email_ids=[row["id"] for row in rows],
                fences=[row["fence"] for row in rows],
                sender=rows[0]["sender"],
                reply_tos=[row["reply_to"] for row in rows],
                subjects=[row["subject"] for row in rows],
                text_bodies=[row["text_body"] for row in rows],
                html_bodies=[row["html_body"] for row in rows],
                calendars=[row["calendar"] for row in rows],
                calendar_methods=[row["calendar_method"] for row in rows],
            )
        return {row["id"] for row in kept}

    def _settle_sent(self, answers: Sequence[Answer]) -> None:
        if not answers:
            return
        rows = [answer.mail.row for answer in answers]
        settled = self._settle(
            emails.settle_sent,
            email_ids=[row["id"] for row in rows],
            fences=[row["fence"] for row in rows],
            provider_message_ids=[answer.provider_message_id or None for answer in answers],
        )
        self.outcomes.add("sent", len(rows))
        ours = {row["id"] for row in settled}
        for row in rows:
            _about(row).info("email_sent" if row["id"] in ours else "email_lease_lost")

    def _settle_failed(self, row: Row, error: DeliveryError) -> float | None:
        step = self.policy.next_step(
            error.failure,
            rejections=row["rejections"],
            tries=row["attempts"],
            age_seconds=row["age_seconds"],
            retry_after=error.retry_after,
            jitter=random.random(),  # noqa: S311 - spreads retries, protects nothing
        )
        self._settle(
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
        bound = _about(row)
        report = bound.error if step.dead or step.alarm else bound.warning
        report(
            "email_dead" if step.dead else "email_deferred",
            failure=error.failure.value,
            reason=error.reason,
            wait_seconds=round(step.wait_seconds, 1),
        )
        return None if step.dead else step.wait_seconds

    def _settle(self, statement: Callable[..., Result], **parameters: Any) -> Result:
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


def _about(row: Row) -> Any:
    return log.bind(email_id=row["id"], kind=row["kind"], attempt=row["attempts"], request_id=row["request_id"])


def _message(row: Row) -> Message:
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
        reply_to=tuple((row["reply_to"] or "").split()),
        calendar=row["calendar"],
        calendar_method=row["calendar_method"],
    )
