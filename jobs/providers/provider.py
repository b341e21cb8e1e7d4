"""Define what a provider takes, what it returns and how it can fail."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

# The name of the attachment that people see where their program does not read calendars.
CALENDAR_NAME = "invite.ics"


@dataclass(frozen=True, slots=True)
class Message:
    """Hold one rendered mail; equal messages become equal bytes on every attempt.

    The domains of its addresses are ASCII. Replies go to `reply_to`, or to the sender where it is empty.
    `created_at` is the aware time of the intent, not of the attempt, because it becomes the Date header.
    `calendar` is its invitation in iCalendar's format, and `calendar_method` what calendars shall do with it.
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
    """The provider refuses this mail, and will go on refusing it."""
    REJECTED = "rejected"
    """The provider refuses this mail now, and may accept it later."""
    THROTTLED = "throttled"
    """The provider asks us to wait."""
    CONFIGURATION = "configuration"
    """The provider refuses us: a person has to mend a key, a sender or the address of a server."""
    TRANSIENT = "transient"
    """Nothing was sent, for a reason that is not in the mail."""
    AMBIGUOUS = "ambiguous"
    """It is unknown whether the mail was sent."""


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
        """Tell whether trying again cannot help."""
        return self.failure is Failure.PERMANENT


class Provider(Protocol):
    """Deliver mails."""

    def send(self, message: Message) -> str:
        """Offer a mail once and return the provider's id of it, or "" when it gives none.

        Takes less than the lease of 15 seconds. Raises DeliveryError and nothing else.
        """
