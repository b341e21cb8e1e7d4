"""Book times, look at them, move them, cancel them, restore them."""

from datetime import datetime
from functools import partial
from typing import Any

from flask import Response, g

from jobs import notifications
from scheduling.appointments.changes import cancel, change
from scheduling.context import caller_id, now, outbox, reading, services, statement, transaction
from scheduling.errors import CONSTRAINTS, ApiError, booking_conflict, invalid, not_found
from scheduling.http.blueprint import Blueprint
from scheduling.http.etags import expected_versions, matches_none, not_modified, tagged
from scheduling.http.locations import created
from scheduling.http.paging import page
from scheduling.policies.access import authenticated
from scheduling.policies.declarations import carries_etag, conditional, refuses
from scheduling.policies.idempotency import idempotent
from scheduling.problems import CODES
from scheduling.schemas.bookings import (
    BookingCancelledOut,
    BookingChangeIn,
    BookingIn,
    BookingOut,
    BookingsQuery,
    BookingWrittenOut,
    DeliveryOut,
)
from sql.queries import Row, bookings, emails

blueprint = Blueprint("bookings", __name__, url_prefix="/bookings", description="One's own diary.")


@blueprint.post("")
@authenticated
@idempotent
@carries_etag
@refuses("booking_conflict")
@blueprint.arguments(BookingIn)
@blueprint.response(201, BookingWrittenOut)
def create_booking(slot: dict[str, Any]) -> tuple[Response, int, dict[str, str]]:
    """Book a time; the confirmation follows by e-mail and notification."""
    _refuse_past(slot["start_time"])
    with statement() as tx:
        booking = bookings.insert_booking(
            tx, user_id=caller_id(), request_id=g.request_id, **slot, **notifications.BOOKING_CONFIRMED
        )
        if booking["id"] is not None:
            outbox.announce(tx, booking["email_id"])
    conflicts, _ = _split(booking)
    if booking["id"] is None:
        raise booking_conflict(conflicts, is_held=not conflicts)
    location = created(f"/bookings/{booking['id']}")
    return _answer("Booking created successfully", booking, conflicts=conflicts), 201, location


@blueprint.get("")
@authenticated
@blueprint.arguments(BookingsQuery, location="query")
@blueprint.response(200, BookingOut(many=True))
def list_bookings(query: dict[str, Any]) -> Response:
    """List the caller's bookings, latest first."""
    with reading() as tx:
        return page(
            query,
            partial(bookings.select_bookings, tx),
            key=("start_time", "id"),
            user_id=caller_id(),
            status=query["status"],
            overlaps_from=query["overlaps_from"],
            overlaps_to=query["overlaps_to"],
        )


@blueprint.get("/<id:booking_id>")
@authenticated
@carries_etag
@conditional
@refuses("not_found")
@blueprint.response(200, BookingOut)
def read_booking(booking_id: int) -> Response:
    """Return one booking."""
    with reading() as tx:
        booking = bookings.select_booking(tx, booking_id=booking_id, user_id=caller_id())
    if booking is None:
        raise not_found("Booking")
    return tagged(booking, booking) if matches_none(booking) else not_modified(booking)


@blueprint.patch("/<id:booking_id>")
@authenticated
@carries_etag
@conditional
@refuses("not_found", "booking_cancelled", "booking_conflict", "already_booked")
@blueprint.arguments(BookingChangeIn)
@blueprint.response(200, BookingWrittenOut)
def change_booking(changes: dict[str, Any], booking_id: int) -> Response:
    """Rename or move a booking."""
    if "start_time" in changes:
        _refuse_past(changes["start_time"])
    with transaction() as tx:
        bookings.lock_booking(tx.with_next, booking_id=booking_id, user_id=caller_id())
        booking = bookings.change_booking(
            tx,
            booking_id=booking_id,
            user_id=caller_id(),
            versions=expected_versions(booking_id),
            **{name: changes.get(name) for name in ("title", "start_time", "end_time")},
        )
        conflicts = _raise_if_refused(booking)
        appointment_id, moves, is_renamed = (booking.pop(name) for name in ("appointment_id", "moves", "is_renamed"))
        if appointment_id is not None and (moves or is_renamed):
            change(tx, appointment_id, booking, moves=moves)
    return _answer("Booking updated successfully", booking, conflicts=conflicts)


@blueprint.delete("/<id:booking_id>")
@authenticated
@carries_etag
@conditional
@refuses("not_found", "booking_ended")
@blueprint.response(200, BookingCancelledOut)
def cancel_booking(booking_id: int) -> Response:
    """Cancel a booking; the row is kept, e-mail and notification follow."""
    with transaction() as tx:
        bookings.lock_booking(tx.with_next, booking_id=booking_id, user_id=caller_id())
        booking = bookings.cancel_booking(
            tx,
            booking_id=booking_id,
            user_id=caller_id(),
            versions=expected_versions(booking_id),
            request_id=g.request_id,
            **notifications.BOOKING_CANCELLED,
        )
        if booking and booking["email_id"] is not None:
            outbox.announce(tx, booking["email_id"])
        _raise_if_refused(booking)
        appointment_id, moment = booking.pop("appointment_id"), booking.pop("now")
        if appointment_id is not None:
            booking = cancel(tx, appointment_id, booking, at=moment)
    return _answer("Booking cancelled successfully", booking)


@blueprint.post("/<id:booking_id>/restore")
@authenticated
@idempotent
@carries_etag
@conditional
@refuses("not_found", "booking_not_cancelled", "booking_conflict", "guest_booking")
@blueprint.response(200, BookingWrittenOut)
def restore_booking(booking_id: int) -> Response:
    """Confirm a cancelled booking again."""
    with statement() as tx:
        booking = bookings.restore_booking(
            tx,
            booking_id=booking_id,
            user_id=caller_id(),
            versions=expected_versions(booking_id),
            request_id=g.request_id,
            **notifications.BOOKING_RESTORED,
        )
        if booking and booking["email_id"] is not None:
            outbox.announce(tx, booking["email_id"])
    conflicts = _raise_if_refused(booking)
    return _answer("Booking restored successfully", booking, conflicts=conflicts)


@blueprint.get("/<id:booking_id>/deliveries")
@authenticated
@refuses("not_found")
@blueprint.response(200, DeliveryOut(many=True))
def list_deliveries(booking_id: int) -> list[Row]:
    """List the e-mails about a booking, oldest first: sent, waiting or given up, and why."""
    with reading() as tx:
        deliveries: list[Row] = emails.select_deliveries(
            tx,
            booking_id=booking_id,
            user_id=caller_id(),
            reserved_slots=services().settings.delivery.email.reserved_slots,
        )
        if not deliveries and not bookings.select_booking(tx, booking_id=booking_id, user_id=caller_id()):
            raise not_found("Booking")
    return deliveries


def _refuse_past(start: datetime) -> None:
    if start < now():
        raise invalid("/start", "Cannot book a time in the past")


def _split(booking: Row) -> tuple[list[int], str | None]:
    """Take from a row what is about the write and not about the booking."""
    booking.pop("email_id", None)
    return booking.pop("conflicts", []), booking.pop("refusal", None)


def _raise_if_refused(booking: Row | None) -> list[int]:
    """Return the conflicts of a write that was accepted; raise ApiError for one that was not."""
    if booking is None:
        raise not_found("Booking")
    conflicts, refusal = _split(booking)
    is_held = booking.pop("is_held", not conflicts)
    if refusal is None:
        return conflicts
    if refusal == "booking_conflict":
        raise booking_conflict(conflicts, is_held=is_held)
    if refusal == "booking_in_past":
        raise ApiError(400, "validation_error", "This booking has begun already; make a new one")
    if refusal in CONSTRAINTS:
        raise invalid("/end", CONSTRAINTS[refusal][2])
    status, detail = CODES[refusal]
    raise ApiError(status, refusal, detail)


def _answer(message: str, booking: Row, **members: Any) -> Response:
    return tagged(booking, {"message": message, "booking": booking, **members})
