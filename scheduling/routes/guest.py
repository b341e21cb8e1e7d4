"""What a guest may do with a booking: look at it, move it, cancel it."""

from typing import Any

from flask import Response, g

from scheduling.appointments.booking import cancel, move, seize
from scheduling.appointments.guests import for_guest
from scheduling.appointments.manage_tokens import is_managed_by
from scheduling.appointments.openings import taking_time
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
        booking = _managed(appointments.select_appointment(tx, uid=booking_uid, user_id=None), g.manage_token)
    seen = for_guest(booking)
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
def move_guest_booking(wish: dict[str, Any], booking_uid: str) -> Response:
    """Move the booking to another start; where that is not free, the old time is kept."""
    with taking_time() as tx:
        booking = _managed(seize(tx, booking_uid), g.manage_token)
        require_version(booking, by="uid")
        moved = for_guest(move(tx, booking, wish["start"]))
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
        booking = _managed(seize(tx, booking_uid), g.manage_token)
        require_version(booking, by="uid")
        cancelled = for_guest(cancel(tx, booking, cancellation["reason"]))
    return tagged(cancelled, {"message": "Booking cancelled successfully", "booking": cancelled}, by="uid")


def _managed(booking: Row | None, token: str) -> Row:
    """Return the booking that a token manages; raise ApiError 404 for any other."""
    if booking is None or not is_managed_by(booking, token):
        raise not_found("Booking")
    return booking
