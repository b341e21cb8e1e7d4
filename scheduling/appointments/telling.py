"""Tell hosts and guest what has become of an appointment, and count the mails that guests cause."""

from dataclasses import dataclass

from flask import g

from jobs import notifications
from jobs.notifications import Wording
from scheduling.appointments.guest_mails import Allowances
from scheduling.context import outbox
from scheduling.http.client_address import client_address
from sql.database import Transaction
from sql.queries import appointments


@dataclass(frozen=True, slots=True)
class Change:
    """What may become of an appointment: a kind of mail, and a type of notification with its wording."""

    mail: str
    notification: str
    wording: Wording


CONFIRMED = Change("APPOINTMENT_CONFIRMED", "BOOKING_CONFIRMED", notifications.APPOINTMENT_CONFIRMED)
MOVED = Change("APPOINTMENT_MOVED", "BOOKING_MOVED", notifications.APPOINTMENT_MOVED)
RENAMED = Change("APPOINTMENT_RENAMED", "BOOKING_RENAMED", notifications.APPOINTMENT_RENAMED)
CANCELLED = Change("APPOINTMENT_CANCELLED", "BOOKING_CANCELLED", notifications.BOOKING_CANCELLED)


def tell(
    tx: Transaction, uid: str, change: Change, *, token: str | None = None, allowances: Allowances | None = None
) -> None:
    """Notify hosts and mail everybody; raise ApiError 429 where the guest's allowances do not suffice.

    A cancellation is neither counted nor refused: there is one at most of each booking, which was counted.
    """
    if allowances:
        allowances.use(tx.with_next)
    appointments.notify_hosts(tx.with_next, uid=uid, type=change.notification, **change.wording)
    told = appointments.mail_appointment(
        tx,
        uid=uid,
        kind=change.mail,
        manage_token=token,
        origin=client_address(),
        request_id=g.request_id,
        subjects=allowances.subjects if allowances else [],
    )
    if allowances:
        allowances.require(told["used"])
    for email_id in told["email_ids"]:
        outbox.announce(tx, email_id)
