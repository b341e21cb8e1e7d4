"""The statements with which a worker claims and settles e-mails, many at a time: a statement costs more than a row."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psycopg2
from psycopg2.errors import ReadOnlySqlTransaction

from jobs.delivery.retry import Step
from jobs.kinds import KINDS
from jobs.providers.provider import DeliveryError
from jobs.settings import EmailSettings
from sql.database import Database
from sql.pool import PoolExhausted
from sql.queries import Row, emails

# Longer than the longest attempt, so that no two workers offer one mail at the same time.
LEASE_SECONDS = 15
# How long an outcome waits for PostgreSQL to come back; settling twice changes nothing, because the first one wins.
SETTLE_SECONDS = 12
# How long a mail may be due before the sweep queues a job for it.
OVERDUE_SECONDS = 2
# How many due mails of each class are examined for an earlier one about the same booking.
_FOLLOWERS_EXAMINED = 500
# These pass: PostgreSQL is away, restarts, has no free connection, does not answer or is read-only.
_AWAY = (psycopg2.OperationalError, psycopg2.InterfaceError, ReadOnlySqlTransaction, PoolExhausted)

Result = TypeVar("Result")


@dataclass(slots=True)
class EmailStore:
    """Claim, keep and settle the rows of the outbox."""

    database: Database
    settings: EmailSettings
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

    def keep_renderings(self, rows: Sequence[Row]) -> set[int]:
        """Write the renderings of claimed mails; return the ids of those whose lease is still ours."""
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

    def settle_sent(self, rows: Sequence[Row], provider_message_ids: Sequence[str | None]) -> set[int]:
        """Record accepted mails with the provider's ids; return the ids of those whose lease was still ours."""
        settled = self._settle(
            emails.settle_sent,
            email_ids=[row["id"] for row in rows],
            fences=[row["fence"] for row in rows],
            provider_message_ids=list(provider_message_ids),
        )
        return {row["id"] for row in settled}

    def settle_failed(self, row: Row, error: DeliveryError, step: Step) -> None:
        """Record a failed attempt and what follows it."""
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
        """Return the id of a mail that is due and that no worker has claimed, if there is one."""
        self._make_slots_once()
        with self.database.statement() as tx:
            emails.postpone_followers(tx, kinds=self.kinds, limit=_FOLLOWERS_EXAMINED)
        with self.database.statement() as tx:
            email_id: int | None = emails.select_overdue_email(
                tx,
                kinds=self.kinds,
                overdue_seconds=OVERDUE_SECONDS,
                rate_slots=self.settings.rate_slots,
                reserved_slots=self.settings.reserved_slots,
            )
        return email_id

    def find_unknown_kinds(self) -> dict[str, int]:
        """Return how many mails are due of each kind that this release does not know."""
        with self.database.statement() as tx:
            return {row["kind"]: row["count"] for row in emails.select_unknown_kinds(tx, kinds=self.kinds)}

    def _make_slots_once(self) -> None:
        """Make sure that the slots of the rate limit exist before anything is sent."""
        if not self._has_slots:
            with self.database.statement() as tx:
                emails.insert_rate_slots(tx, rate_slots=self.settings.rate_slots)
            self._has_slots = True

    def _settle(self, statement: Callable[..., Result], **parameters: Any) -> Result:
        """Record an outcome; while PostgreSQL is away try again, because the mail has been offered already."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            try:
                with self.database.statement() as tx:
                    return statement(tx, rate_window=self.settings.rate_window, **parameters)
            except _AWAY:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
