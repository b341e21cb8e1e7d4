"""Move, rename and cancel an appointment, for all its hosts at once; their diaries are locked before."""

from datetime import datetime

from scheduling.appointments.guest_mails import Allowances
from scheduling.appointments.locked_event_type import event_type_of
from scheduling.appointments.telling import CANCELLED, MOVED, RENAMED, tell
from scheduling.context import now
from scheduling.errors import ApiError
from sql.database import Transaction
from sql.queries import Row, appointments


def lock_appointment(tx: Transaction, uid: str, manage_token_hash: bytes) -> Row | None:
    """Lock the diaries of the hosts and return the appointment as it stands then; None unless the token manages it."""
    appointments.lock_appointment(tx.with_next, uid=uid, manage_token_hash=manage_token_hash)
    appointment: Row | None = appointments.select_appointment(tx, uid=uid, manage_token_hash=manage_token_hash)
    return appointment


def move(tx: Transaction, appointment: Row, start: datetime) -> Row:
    """Move a guest's appointment; raise ApiError, and keep the old time, where the new one is taken."""
    _refuse_ended(appointment)
    if appointment["status"] == "cancelled":
        raise _is_cancelled()
    if start == appointment["start_time"]:
        return appointment
    event_type = event_type_of(tx, appointment, start)
    if event_type is None:
        detail = "What was booked is no longer offered; it can still be cancelled"
        raise ApiError(400, "not_bookable", detail, rules=[])
    event_type.choose(start)
    end = start + (appointment["end_time"] - appointment["start_time"])
    version, moment = appointment["version"] + 1, appointment["now"]
    changed = appointment | {"start_time": start, "end_time": end, "version": version, "updated_at": moment}
    change(tx, appointment["id"], changed, moves=True)
    return changed


def change(tx: Transaction, appointment_id: int, changed: Row, *, moves: bool) -> None:
    """Give an appointment another time or title, and tell everybody what has changed."""
    appointments.change_appointment(
        tx.with_next,
        appointment_id=appointment_id,
        start_time=changed["start_time"],
        end_time=changed["end_time"],
        title=changed["title"],
    )
    allowances = Allowances(changed["guest"]["email"], changed["event_type_uid"])
    tell(tx, changed["uid"], MOVED if moves else RENAMED, allowances=allowances)


def cancel(tx: Transaction, appointment_id: int, booking: Row, *, at: datetime, reason: str | None = None) -> Row:
    """Cancel an appointment and return its row; raise ApiError 409 where it is cancelled already, or over."""
    _refuse_ended(booking)
    if booking["status"] == "cancelled":
        raise _is_cancelled()
    appointments.cancel_appointment(tx.with_next, appointment_id=appointment_id, reason=reason)
    tell(tx, booking["uid"], CANCELLED)
    return booking | {"status": "cancelled", "version": booking["version"] + 1, "updated_at": at}


def _refuse_ended(appointment: Row) -> None:
    """Raise ApiError for a meeting that is over: what has been is not changed."""
    if appointment["end_time"] <= now():
        raise ApiError(409, "booking_ended", "This meeting is over; book another one")


def _is_cancelled() -> ApiError:
    return ApiError(409, "booking_cancelled", "This booking is cancelled; make a new one")
