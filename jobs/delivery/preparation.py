"""Turn claimed rows into mails that may be offered, and keep each rendering for later attempts."""

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.addresses import mailbox_to_ascii, to_ascii
from jobs.delivery.sender_pool import Mail
from jobs.delivery.settlement import Settlement, log_lost_lease
from jobs.mails.composition import compose
from jobs.mails.rendering import RenderingError
from jobs.providers.provider import DeliveryError, Failure, Message
from sql.queries import Row

# An attempt takes up to ten seconds: one that began later could outlast the lease.
OFFER_WITHIN_SECONDS = 4


@dataclass(slots=True)
class Preparation:
    """Compose mails from one sender; settle those that can never be offered."""

    settlement: Settlement
    sender: str

    def prepare(self, rows: Sequence[Row], claimed_at: float) -> list[Mail]:
        """Return the mails that may be offered; `claimed_at` is a time on the monotonic clock."""
        rendered_before: list[Row] = []
        rendered_now: list[Row] = []
        for row in rows:
            try:
                (rendered_now if self._complete(row) else rendered_before).append(row)
            except DeliveryError as error:
                self.settlement.settle_failed(row, error)
        kept = self.settlement.store.keep_renderings(rendered_now)
        for row in rendered_now:
            if row["id"] not in kept:
                log_lost_lease(row)
        ready = [*rendered_before, *(row for row in rendered_now if row["id"] in kept)]
        return [Mail(row, _message(row), claimed_at + OFFER_WITHIN_SECONDS) for row in ready]

    def _complete(self, row: Row) -> bool:
        """Compose a row that has no rendering yet; tell whether it had none.

        Raises DeliveryError.
        """
        # A mail without a recorded failure may never have been offered, so it is offered at least once.
        if row["last_failure"] is not None and self.settlement.policy.expired(row["age_seconds"]):
            raise DeliveryError("Its time ran out before it could be delivered.", Failure.PERMANENT)
        try:
            row["recipient"] = to_ascii(row["recipient"])
        except ValueError as error:
            raise DeliveryError("The domain of the address is none.", Failure.PERMANENT) from error
        if row["subject"] is not None:
            return False
        sender = mailbox_to_ascii(self.sender)
        try:
            composed = compose(
                row["kind"], row["data"], sender=sender, recipient=row["recipient"], created_at=row["created_at"]
            )
        except RenderingError as error:
            raise DeliveryError(str(error), Failure.PERMANENT) from error
        row |= {**composed, "sender": sender}
        return True


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
