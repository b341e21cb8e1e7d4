"""Say what a mail is, what a provider does with it and how that can fail."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

# What people see of the calendar of a mail, where their program does not read it.
CALENDAR_NAME = "invite.ics"


@dataclass(frozen=True, slots=True)
class Message:
    """Hold one rendered mail; equal messages become equal bytes on every attempt.

    The domains of its addresses are ASCII. `reply_to` is to whom its reader writes back, the sender if it is nobody.
    `created_at` is the aware time of the intent, not of the attempt, because it becomes the Date header.
    `calendar` is what it tells calendars, in iCalendar's words, and `calendar_method` what they shall do with it.
    """

    email_id: int
    kind: str
    sender: str
    to: str
    subject: str
    text: str
    html: str
    idempotency_key: str
    created_at: datetime
    reply_to: tuple[str, ...] = ()
    calendar: str | None = None
    calendar_method: str | None = None


class Failure(StrEnum):
    """Name the classes of failure that the retry policy tells apart."""

    PERMANENT = "permanent"
    """The provider refuses this mail, and will refuse it tomorrow."""
    REJECTED = "rejected"
    """The provider refuses this mail today; another day may differ."""
    THROTTLED = "throttled"
    """The provider asks for patience."""
    CONFIGURATION = "configuration"
    """The provider refuses us: a key, a sender or an address of a server wants a person."""
    TRANSIENT = "transient"
    """Nothing was sent, and the mail is not to blame."""
    AMBIGUOUS = "ambiguous"
    """Nobody can tell whether the mail was sent."""


class DeliveryError(Exception):
    """Tell why a provider did not accept a mail.

    The reason is a plain sentence, fit for a log: no secret, no body, no value of a header.
    `retry_after` is in seconds, where the provider named a time.
    """

    def __init__(self, reason: str, failure: Failure, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.failure = failure
        self.retry_after = retry_after

    @property
    def permanent(self) -> bool:
        """Say whether no repetition can help."""
        return self.failure is Failure.PERMANENT


class Provider(Protocol):
    """Deliver mails."""

    def send(self, message: Message) -> str:
        """Offer a mail once and return the provider's id of it, or "" when it gives none.

        Takes less than the lease of 15 seconds. Raises DeliveryError and nothing else.
        """
