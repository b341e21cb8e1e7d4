"""What a guest may do with a booking: look at it, move it, cancel it."""

from typing import Any

from flask import Response, g

from scheduling.appointments.changes import cancel, lock_appointment, move
from scheduling.appointments.guests import for_guest
from scheduling.appointments.locked_event_type import booking_transaction
from scheduling.appointments.manage_tokens import hash_manage_token
from scheduling.context import reading, transaction
from scheduling.errors import not_found
from scheduling.http.blueprint import Blueprint
from scheduling.http.etags import matches_none, not_modified, require_version, tagged
from scheduling.policies.access import guest
from scheduling.policies.declarations import carries_etag, conditional, refuses
from scheduling.policies.rate_limit import limited
from scheduling.schemas.appointments import AppointmentChangedOut, CancellationIn, GuestBookingOut, MoveIn
from sql.queries import Row, appointments

blueprint = Blueprint(
    "guest", __name__, url_prefix="/guest/bookings", description="Bookings, as their guests see them."
)


@blueprint.get("/<uid:booking_uid>")
@guest
@limited("rate_limit_guests")
@carries_etag
@conditional
@refuses("not_found")
@blueprint.response(200, GuestBookingOut)
def read_guest_booking(booking_uid: str) -> Response:
    """Return the booking that the token manages."""
    with reading() as tx:
        seen = for_guest(_found(appointments.select_appointment(tx, uid=booking_uid, manage_token_hash=_token_hash())))
    return tagged(seen, seen, by="uid") if matches_none(seen, by="uid") else not_modified(seen, by="uid")


@blueprint.patch("/<uid:booking_uid>")
@guest
@limited("rate_limit_guests")
@carries_etag
@conditional
@refuses(
    "not_found",
    "not_bookable",
    "booking_cancelled",
    "booking_ended",
    "slot_taken",
    "already_booked",
    "booking_conflict",
)
@blueprint.arguments(MoveIn)
@blueprint.response(200, AppointmentChangedOut)
def move_guest_booking(body: dict[str, Any], booking_uid: str) -> Response:
    """Move the booking to another start; where that is not free, the old time is kept."""
    with booking_transaction() as tx:
        booking = _found(lock_appointment(tx, booking_uid, _token_hash()))
        require_version(booking, by="uid")
        moved = for_guest(move(tx, booking, body["start"]))
    return tagged(moved, {"message": "Booking updated successfully", "booking": moved}, by="uid")


@blueprint.delete("/<uid:booking_uid>")
@guest
@limited("rate_limit_guests")
@carries_etag
@conditional
@refuses("not_found", "booking_cancelled", "booking_ended")
@blueprint.arguments(CancellationIn, required=False)
@blueprint.response(200, AppointmentChangedOut)
def cancel_guest_booking(cancellation: dict[str, Any], booking_uid: str) -> Response:
    """Cancel the booking; a body may say why."""
    with transaction() as tx:
        booking = _found(lock_appointment(tx, booking_uid, _token_hash()))
        require_version(booking, by="uid")
        cancelled = for_guest(cancel(tx, booking["id"], booking, at=booking["now"], reason=cancellation["reason"]))
    return tagged(cancelled, {"message": "Booking cancelled successfully", "booking": cancelled}, by="uid")


def _token_hash() -> bytes:
    """Return what the database keeps of the token that the request bears."""
    return hash_manage_token(g.manage_token)


def _found(appointment: Row | None) -> Row:
    """Return an appointment; raise ApiError 404 where there is none that the token manages."""
    if appointment is None:
        raise not_found("Booking")
    return appointment
