"""Take a host's time for a guest: hold it, book it, move it, give it back.

Whoever takes time first locks the diaries of everybody who may be concerned, in one order, and then asks the engine
what is free: nobody who was told "free" is refused, and the constraint on claims stands behind it.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from flask import g

from scheduling.appointments.guest_mails import use_allowance
from scheduling.appointments.manage_tokens import hash_manage_token, make_manage_token, tell_manage_token
from scheduling.appointments.openings import Opening
from scheduling.context import now, outbox
from scheduling.errors import ApiError, booking_conflict, invalid
from scheduling.policies.rate_limit import client_address
from sql.database import Transaction
from sql.queries import Row, appointments

HOLD_SECONDS = 300
# What a booking is judged by, and nobody is shown.
_KEPT_HERE = frozenset({"manage_token_hash", "buffer_before_minutes", "buffer_after_minutes"})


@dataclass(frozen=True, slots=True)
class Booked:
    """A guest's booking, as its first host has it, and the token that manages it."""

    row: Row
    token: str
    repeated: bool = False


def hold(tx: Transaction, event_type_uid: str, start: datetime, address: str, most: int) -> Row:
    """Keep a time for five minutes; raise ApiError where it cannot be had, or the address holds enough."""
    opening = Opening(tx, event_type_uid)
    user_ids, assignment = opening.choose(tx, start)
    event_type = opening.bookable.event_type
    end = start + event_type.duration
    held: Row | None = appointments.insert_hold(
        tx,
        event_type_id=opening.bookable.row["id"],
        uid=secrets.token_urlsafe(16),
        start_time=start,
        end_time=end,
        claim_start=start - event_type.buffer_before,
        claim_end=end + event_type.buffer_after,
        user_ids=user_ids,
        assignment=orjson.dumps(assignment).decode(),
        address=address,
        most=most,
        seconds=HOLD_SECONDS,
    )
    if held is None:
        raise ApiError(
            429,
            "too_many_holds",
            f"You hold {most} times already; book one of them, or let one go",
            headers={"Retry-After": str(HOLD_SECONDS)},
        )
    return held


def book(tx: Transaction, event_type_uid: str, request: dict[str, Any]) -> Booked:
    """Book a time for a guest; a hold that this guest has booked already is answered with its booking."""
    start: datetime = request["start"]
    opening = Opening(tx, event_type_uid, hold_uid=request["hold"])
    held, hold_hash = opening.held, _hash_of_hold(event_type_uid, request)
    if held and held["start_time"] != start:
        raise invalid("/hold", "The hold is for another time")
    if hold_hash and not held:
        booked = _booked_before(tx, hold_hash)
        if booked:
            return booked
    user_ids, assignment = opening.choose(tx, start)
    use_allowance(tx, request["email"], event_type_uid)
    row, uid = opening.bookable.row, secrets.token_urlsafe(16)
    token = make_manage_token(uid)
    guest = {name: request[name] for name in ("name", "email", "time_zone", "notes")}
    rows: list[Row] = appointments.insert_appointment(
        tx,
        uid=uid,
        event_type_uid=row["uid"],
        title=row["title"],
        start_time=start,
        end_time=start + opening.event_type.duration,
        user_ids=user_ids,
        guest=orjson.dumps(guest).decode(),
        assignment=orjson.dumps(assignment).decode(),
        manage_token_hash=hash_manage_token(token),
        buffer_before_minutes=row["buffer_before_minutes"],
        buffer_after_minutes=row["buffer_after_minutes"],
        hold_id=held["id"] if held else None,
        hold_hash=hold_hash if held else None,
    )
    _tell(tx, uid, "APPOINTMENT_CONFIRMED", "BOOKING_CONFIRMED", token)
    return Booked(rows[0], token)


def move(tx: Transaction, booking: Row, start: datetime) -> Row:
    """Move a guest's booking, with all its hosts; raise ApiError, and keep the old time, where the new one is taken."""
    _refuse_ended(booking)
    if booking["status"] == "cancelled":
        raise _is_cancelled()
    if start == booking["start_time"]:
        return booking
    try:
        opening = Opening(tx, booking["event_type_uid"] or "", moving=booking)
    except ApiError:
        detail = "What was booked is no longer offered; it can still be cancelled"
        raise ApiError(400, "not_bookable", detail, rules=[]) from None
    opening.choose(tx, start)
    return change(tx, booking, start, start + (booking["end_time"] - booking["start_time"]))


def move_as_host(
    tx: Transaction, booking: Row, *, start: datetime | None, end: datetime | None, title: str | None
) -> Row:
    """Move or rename a guest's booking as a host, who is not bound by rules but by what is taken; or ApiError."""
    if booking["status"] == "cancelled":
        raise ApiError(409, "booking_cancelled", "This booking is cancelled; it cannot be changed")
    starts, ends = start or booking["start_time"], end or booking["end_time"]
    in_the_way = _in_the_way(tx, booking, starts, ends)
    own = [row for row in in_the_way if row["kind"] == "booking" and row["user_id"] == booking["user_id"]]
    if in_the_way and (starts, ends) != (booking["start_time"], booking["end_time"]):
        is_held = all(row["kind"] == "hold" for row in in_the_way)
        raise booking_conflict(sorted(row["number"] for row in own), is_held=is_held)
    overlapping = sorted(row["number"] for row in own if row["start_time"] < ends and starts < row["end_time"])
    return change(tx, booking, starts, ends, title) | {"conflicts": overlapping}


def _in_the_way(tx: Transaction, booking: Row, starts: datetime, ends: datetime) -> list[Row]:
    """Return what else is taken of the hosts' time while a booking with its buffers would be."""
    before, after = (timedelta(minutes=booking[name]) for name in ("buffer_before_minutes", "buffer_after_minutes"))
    taken = appointments.select_taken(
        tx, user_ids=booking["hosts"], starts=starts, ends=ends, event_type_uid=None, except_uid=booking["uid"]
    )
    return [row for row in taken if row["claim_start"] < ends + after and starts - before < row["claim_end"]]


def change(tx: Transaction, booking: Row, start: datetime, end: datetime, title: str | None = None) -> Row:
    """Give a booking another time or title, for all its hosts, and tell everybody what has changed, if anything has."""
    changed: list[Row] = appointments.change_appointment(
        tx, uid=booking["uid"], start_time=start, end_time=end, title=title
    )
    if not changed:
        return {name: value for name, value in booking.items() if name not in _KEPT_HERE}
    use_allowance(tx, booking["guest"]["email"], booking["event_type_uid"])
    if (start, end) == (booking["start_time"], booking["end_time"]):
        _tell(tx, booking["uid"], "APPOINTMENT_RENAMED", "BOOKING_RENAMED")
    else:
        _tell(tx, booking["uid"], "APPOINTMENT_MOVED", "BOOKING_MOVED")
    return _own(changed, booking)


def cancel(tx: Transaction, booking: Row, reason: str | None = None) -> Row:
    """Cancel a booking, for all its hosts; raise ApiError 409 where it is cancelled already."""
    _refuse_ended(booking)
    cancelled: list[Row] = appointments.cancel_appointment(tx, uid=booking["uid"], reason=reason)
    if not cancelled:
        raise _is_cancelled()
    _tell(tx, booking["uid"], "APPOINTMENT_CANCELLED", "BOOKING_CANCELLED")
    return _own(cancelled, booking)


def seize(tx: Transaction, uid: str, user_id: int | None = None) -> Row | None:
    """Lock the diaries of a booking's hosts and return it as it stands then: a given host's row, or the first."""
    booking: Row | None = appointments.select_appointment(tx, uid=uid, user_id=user_id)
    if booking is not None:
        appointments.lock_diaries(tx, user_ids=booking["hosts"], event_type_uid=None)
        booking = appointments.select_appointment(tx, uid=uid, user_id=user_id)
    return booking


def _tell(tx: Transaction, uid: str, kind: str, notification: str, token: str | None = None) -> None:
    told = appointments.tell_of_appointment(
        tx,
        uid=uid,
        kind=kind,
        type=notification,
        manage_token=token,
        origin=client_address(),
        request_id=g.request_id,
    )
    for row in told:
        outbox.announce(tx, row["id"])


def _own(rows: Sequence[Row], booking: Row) -> Row:
    """Return the row of the host who has asked, or of the first one."""
    return next((row for row in rows if row["id"] == booking["id"]), rows[0])


def _booked_before(tx: Transaction, hold_hash: bytes) -> Booked | None:
    """Return what was booked on a hold; None where nothing was, or its token cannot be told again."""
    row: Row | None = appointments.select_booked(tx, hold_hash=hold_hash)
    token = tell_manage_token(row) if row else None
    return Booked(row, token, repeated=True) if row and token else None


def _hash_of_hold(event_type_uid: str, request: dict[str, Any]) -> bytes | None:
    """Name a hold together with what it was booked for: for another start or guest it is a hold that has run out."""
    if request["hold"] is None:
        return None
    text = orjson.dumps([request["hold"], event_type_uid, request["start"], request["email"]])
    return hashlib.sha256(text).digest()


def _refuse_ended(booking: Row) -> None:
    """Raise ApiError for a meeting that is over: what has been is not changed."""
    if booking["end_time"] <= now():
        raise ApiError(409, "booking_ended", "This meeting is over; book another one")


def _is_cancelled() -> ApiError:
    return ApiError(409, "booking_cancelled", "This booking is cancelled; make a new one")
