"""Announce e-mails to the worker: what writes a row into `emails` announces its id here.

The row is the e-mail, and the statement that does the work writes it. Announcing it only makes it go out sooner.
"""

from dataclasses import dataclass

from jobs.connection import connect_redis
from jobs.doorbell import Doorbell
from jobs.settings import DeliverySettings
from sql.database import Transaction

# How long the doorbell's thread may wait for Redis, in seconds.
_REDIS_TIMEOUT = 0.5


@dataclass(frozen=True, slots=True)
class Outbox:
    """Announce e-mails once their transaction has been committed."""

    doorbell: Doorbell

    def announce(self, tx: Transaction, email_id: int) -> None:
        """Ring for a row after its transaction has been committed; do nothing after a rollback."""
        tx.after_commit(lambda: self.doorbell.ring(email_id))


def open_outbox(settings: DeliverySettings) -> Outbox:
    """Return the outbox of a process; nothing is connected before the first announcement."""
    return Outbox(Doorbell(lambda: connect_redis(settings.redis, timeout=_REDIS_TIMEOUT)))
