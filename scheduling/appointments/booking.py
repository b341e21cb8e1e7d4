"""Take the time of hosts for a guest: hold it, or book it.

Whoever takes time first locks the event type and the diaries of everybody who may be concerned, in one order, and then
asks the engine what is free: nobody who was told "free" is refused, and the constraint on claims stands behind it.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from scheduling.appointments.guest_mails import Allowances
from scheduling.appointments.locked_event_type import LockedEventType, lock_event_type
from scheduling.appointments.manage_tokens import hash_manage_token, make_manage_token, tell_manage_token
from scheduling.appointments.telling import CONFIRMED, tell
from scheduling.errors import ApiError, invalid
from sql.database import Transaction
from sql.queries import Row, appointments

HOLD_SECONDS = 300
_GUEST = ("name", "email", "notes", "time_zone")


@dataclass(frozen=True, slots=True)
class Booked:
    """An appointment, as its guest sees it, and the token that manages it."""

    row: Row
    token: str
    repeated: bool = False


def hold(tx: Transaction, event_type_uid: str, start: datetime, address: str, most: int) -> Row:
    """Keep a time for five minutes; raise ApiError where it cannot be had, or the address holds enough."""
    event_type = lock_event_type(tx, event_type_uid, start)
    user_ids, assignment = event_type.choose(start)
    end = start + event_type.rules.duration
    held: Row | None = appointments.insert_hold(
        tx,
        event_type_id=event_type.row["id"],
        uid=secrets.token_urlsafe(16),
        start_time=start,
        end_time=end,
        claim_start=start - event_type.rules.buffer_before,
        claim_end=end + event_type.rules.buffer_after,
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
    """Book a time for a guest; a hold that this guest has booked already is answered with its appointment."""
    event_type = lock_event_type(tx, event_type_uid, request["start"], hold_uid=request["hold"])
    is_held, hold_hash = event_type.row["hold_id"] is not None, _hash_of_hold(event_type_uid, request)
    if is_held and event_type.row["hold_start"] != request["start"]:
        raise invalid("/hold", "The hold is for another time")
    if hold_hash and not is_held:
        booked = _booked_before(tx, hold_hash)
        if booked:
            return booked
    return _insert(tx, event_type, request, hold_hash if is_held else None)


def _insert(tx: Transaction, event_type: LockedEventType, request: dict[str, Any], hold_hash: bytes | None) -> Booked:
    """Write an appointment, and tell everybody."""
    row, uid = event_type.row, secrets.token_urlsafe(16)
    user_ids, assignment = event_type.choose(request["start"])
    token = make_manage_token(uid)
    start, end = request["start"], request["start"] + event_type.rules.duration
    guest = {name: request[name] for name in _GUEST}
    appointments.insert_appointment(
        tx.with_next,
        uid=uid,
        event_type_id=row["id"],
        title=row["title"],
        start_time=start,
        end_time=end,
        buffer_before_minutes=row["buffer_before_minutes"],
        buffer_after_minutes=row["buffer_after_minutes"],
        assignment=orjson.dumps(assignment).decode(),
        user_ids=user_ids,
        manage_token_hash=hash_manage_token(token),
        hold_id=row["hold_id"],
        hold_hash=hold_hash,
        **guest,
    )
    tell(tx, uid, CONFIRMED, token=token, allowances=Allowances(guest["email"], row["uid"]))
    appointment = {
        "uid": uid,
        "event_type_uid": row["uid"],
        "title": row["title"],
        "start_time": start,
        "end_time": end,
        "status": "confirmed",
        "guest": guest,
        "version": 1,
        "created_at": event_type.now,
        "updated_at": event_type.now,
    }
    return Booked(appointment, token)


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
