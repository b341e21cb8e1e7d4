"""How many mails guests may cause: to one recipient, through one event type, from one address.

Counted in PostgreSQL in the transaction of the work: exact over all processes, without Redis, and who is refused has
used nothing. What is used comes back evenly: of 60 an hour one a minute.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from limits import parse_many

from scheduling.context import services
from scheduling.errors import too_many
from scheduling.http.client_address import client_address
from sql.database import Queue
from sql.queries import appointments

_REFUSALS = {
    "recipient": "This e-mail address has been written to often enough; try again in {} seconds",
    "event_type": "This event type has been booked and changed often enough; try again in {} seconds",
    "address": "You have booked and changed often enough; try again in {} seconds",
}


@dataclass(frozen=True, slots=True)
class _Allowance:
    """So many mails in a window, for one subject; a mail is free again after `step` seconds."""

    of: str
    most: int
    step: float

    def excess(self, seconds: float) -> float:
        """Return for how long what is used counts beyond the window."""
        return seconds - self.most * self.step


class Allowances:
    """What a mail to a guest is counted for: their address, the event type, and who asks."""

    def __init__(self, recipient: str, event_type_uid: str | None) -> None:
        """Find what the settings limit."""
        self._of = dict(_allowances(recipient, event_type_uid))

    @property
    def subjects(self) -> list[int]:
        """Return the numbers under which it is counted."""
        return list(self._of)

    def use(self, tx: Queue) -> None:
        """Count a mail."""
        if self._of:
            steps = [allowance.step for allowance in self._of.values()]
            appointments.use_allowances(tx, subjects=self.subjects, steps=steps)

    def require(self, used: Sequence[Mapping[str, Any]]) -> None:
        """Raise ApiError 429 where more was used than is allowed: then the transaction, and the count, are undone."""
        if not used:
            return
        wait, of = max((self._of[row["subject"]].excess(row["seconds"]), self._of[row["subject"]].of) for row in used)
        # Half a millisecond is what rounding makes of steps.
        if wait > 0.0005:
            seconds = math.ceil(wait)
            raise too_many(_REFUSALS[of].format(seconds), retry_after=seconds)


def _allowances(recipient: str, event_type_uid: str | None) -> list[tuple[int, _Allowance]]:
    settings = services().settings
    rates = (
        ("recipient", settings.rate_limit_guest_mails_per_recipient, _mailbox(recipient)),
        ("event_type", settings.rate_limit_guest_mails_per_event_type, event_type_uid),
        ("address", settings.rate_limit_guest_mails_per_address, client_address()),
    )
    return [
        (_number(of, subject, str(item)), _Allowance(of, item.amount, item.get_expiry() / item.amount))
        for of, rate, subject in rates
        if rate and subject
        for item in parse_many(rate)
    ]


def _mailbox(recipient: str) -> str:
    """Return what many providers deliver a mail to: without what follows a plus sign."""
    local, _, domain = recipient.lower().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


def _number(*words: str) -> int:
    return int.from_bytes(hashlib.sha256("\0".join(words).encode()).digest()[:8], signed=True)
