"""The door to delivery: whoever writes a row into `emails` announces it here.

The row is the e-mail, and the statement that does the work writes it. Announcing only saves waiting.
"""

from dataclasses import dataclass

from jobs.connection import connect_redis
from jobs.doorbell import Doorbell
from jobs.settings import DeliverySettings
from sql.database import Transaction

# How long the doorbell's thread may wait for Redis, in seconds.
_PATIENCE = 0.5


@dataclass(frozen=True, slots=True)
class Outbox:
    """Announces e-mails once they are durable."""

    doorbell: Doorbell

    def announce(self, tx: Transaction, email_id: int) -> None:
        """Ring for a row when its transaction has been committed; after a rollback nobody hears of it."""
        tx.after_commit(lambda: self.doorbell.ring(email_id))


def open_outbox(settings: DeliverySettings) -> Outbox:
    """Return the outbox of a process; nothing is connected before the first announcement."""
    return Outbox(Doorbell(lambda: connect_redis(settings.redis, patience=_PATIENCE)))
