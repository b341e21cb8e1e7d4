"""Take a host's time for a guest: hold it, book it, move it, give it back.

Whoever takes time first locks the diaries of everybody who may be concerned, in one order, and then asks the engine
what is free: nobody who was told "free" is refused, and the constraint on claims stands behind it.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

import orjson
from flask import g

from scheduling.availability.explanation import Explanation, explain
from scheduling.availability.facts import EventType, Host
from scheduling.availability.fairness import choose
from scheduling.availability.rules import Rule
from scheduling.availability.slots import Slot, find_slots, nearest
from scheduling.bookable import Bookable, find_bookable, select_taken
from scheduling.context import outbox
from scheduling.errors import ApiError
from sql.database import Transaction
from sql.queries import Row, appointments

HOLD_SECONDS = 300
# A refused guest is shown this many times that are free this near.
_SHOWN, _AROUND, _NEARBY = 3, timedelta(hours=12), timedelta(days=14)
_MINUTE = timedelta(minutes=1)
# What another booking is in the way of; the guest can do nothing about the other rules by hurrying.
_TAKEN = frozenset({Rule.BUFFER, Rule.BUSY, Rule.HELD})
# What a guest is told: nothing of a host but free times.
_TO_GUESTS = {
    Rule.OUTSIDE_HOURS: "Outside of the hours that can be booked.",
    Rule.OVERRIDE: "Outside of the hours of that date.",
    Rule.GRID: "Not one of the starts that are offered.",
    Rule.NOTICE: "Too soon.",
    Rule.HORIZON: "Too far ahead.",
    Rule.DAILY_LIMIT: "No more bookings on that date.",
    Rule.BUFFER: "This time is taken.",
    Rule.BUSY: "This time is taken.",
    Rule.HELD: "This time is held by somebody else.",
    Rule.NOT_MEMBER: "Nobody can be booked at present.",
}


class Opening:
    """A link, as it stands while this transaction holds the diaries of its hosts."""

    def __init__(self, tx: Transaction, event_type_uid: str, booking: Row | None = None) -> None:
        """Lock the diaries; a booking that moves keeps its hosts and its length, and is not in its own way."""
        self.tx = tx
        self.bookable: Bookable = find_bookable(tx, event_type_uid)
        self.moving = booking
        self.user_ids: list[int] = booking["hosts"] if booking else self.bookable.user_ids
        self.event_type = _as_booked(self.bookable.event_type, booking) if booking else self.bookable.event_type
        self.now: datetime = self.bookable.row["now"]
        appointments.lock_diaries(tx, user_ids=self.user_ids)

    def choose(self, start: datetime) -> tuple[list[int], dict[str, Any]]:
        """Return who is booked at a start, and why; raise ApiError where nobody can be."""
        hosts = self._hosts(start, start + self.event_type.duration)
        if len(hosts) < len(self.user_ids):
            raise _not_bookable({Rule.NOT_MEMBER})
        verdict = explain(self.event_type, hosts, now=self.now, start=start)
        if not verdict.bookable:
            raise self._refusal(verdict, start)
        if self.event_type.assignment != "any":
            return _everybody(self.event_type.assignment, [host.user_id for host in hosts])
        choice = choose([host for host in hosts if host.user_id in verdict.free])
        busy = [host for host in verdict.hosts if not host.bookable]
        passed_over = [asdict(one) for one in choice.passed_over] + [
            {"user_id": host.user_id, "reason": " ".join(rule.detail for rule in host.rules if not rule.passed)}
            for host in busy
        ]
        return [choice.user_id], {"mode": "any", "chosen": [choice.user_id], "passed_over": passed_over}

    def _hosts(self, start: datetime, end: datetime) -> list[Host]:
        but = self.moving["uid"] if self.moving else None
        taken = select_taken(self.tx, self.bookable, start, end, user_ids=self.user_ids, but=but)
        return self.bookable.hosts(taken, self.user_ids)

    def _refusal(self, verdict: Explanation, start: datetime) -> ApiError:
        failed = [{rule.code for rule in host.rules if not rule.passed} for host in verdict.hosts]
        codes = {code for codes in failed for code in codes}
        if not any(codes & _TAKEN and codes <= _TAKEN | {Rule.DAILY_LIMIT} for codes in failed):
            return _not_bookable(codes)
        slots = [{"start": slot.start, "end": slot.end} for slot in self._nearest(start)]
        return ApiError(409, "slot_taken", "This time is taken; others are free", rules=_for_guests(codes), slots=slots)

    def _nearest(self, start: datetime) -> list[Slot]:
        """Return the nearest free slots; whoever waits for the diaries waits for this, so it looks around first."""
        for reach in (_AROUND, _NEARBY):
            begin, end = start - reach, start + reach
            free = find_slots(self.event_type, self._hosts(begin, end), now=self.now, start=begin, end=end)
            found = nearest(free, start, _SHOWN)
            if len(found) == _SHOWN:
                break
        return found


def hold(tx: Transaction, event_type_uid: str, start: datetime, address: str, most: int) -> Row:
    """Keep a time for five minutes; raise ApiError where it cannot be had, or the address holds enough."""
    opening = Opening(tx, event_type_uid)
    user_ids, assignment = opening.choose(start)
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


def book(tx: Transaction, event_type_uid: str, request: dict[str, Any]) -> tuple[Row, str]:
    """Book a time for a guest; return the booking, as its first host has it, and the token that manages it."""
    start: datetime = request["start"]
    opening = Opening(tx, event_type_uid)
    held = _held(tx, opening.bookable.row["id"], request)
    if held is None:
        user_ids, assignment = opening.choose(start)
    else:
        user_ids, assignment = held["hosts"], held["assignment"]
    row, token, uid = opening.bookable.row, secrets.token_urlsafe(32), secrets.token_urlsafe(16)
    guest = {name: request[name] for name in ("name", "email", "time_zone", "notes")}
    booked: list[Row] = appointments.insert_appointment(
        tx,
        uid=uid,
        event_type_uid=row["uid"],
        title=row["title"],
        start_time=start,
        end_time=start + opening.bookable.event_type.duration,
        user_ids=user_ids,
        guest=orjson.dumps(guest).decode(),
        assignment=orjson.dumps(assignment).decode(),
        manage_token_hash=_hash(token),
        buffer_before_minutes=row["buffer_before_minutes"],
        buffer_after_minutes=row["buffer_after_minutes"],
        hold_id=held and held["id"],
    )
    _tell(tx, uid, "APPOINTMENT_CONFIRMED", "BOOKING_CONFIRMED", token)
    return booked[0], token


def move(tx: Transaction, booking: Row, start: datetime) -> Row:
    """Move a guest's booking, with all its hosts; raise ApiError, and keep the old time, where the new one is taken."""
    if booking["status"] == "cancelled":
        raise _is_cancelled()
    if booking["event_type_uid"] is None:
        raise ApiError(400, "not_bookable", "What was booked is no longer offered; it can still be cancelled", rules=[])
    Opening(tx, booking["event_type_uid"], booking).choose(start)
    return change(tx, booking, start, start + (booking["end_time"] - booking["start_time"]))


def move_as_host(
    tx: Transaction, booking: Row, *, start: datetime | None, end: datetime | None, title: str | None
) -> Row:
    """Move or rename a guest's booking as a host, who is not bound by rules but by what is taken; or ApiError."""
    if booking["status"] == "cancelled":
        raise ApiError(409, "booking_cancelled", "This booking is cancelled; it cannot be changed")
    starts, ends = start or booking["start_time"], end or booking["end_time"]
    if start or end:
        before, after = (timedelta(minutes=booking[name]) for name in ("buffer_before_minutes", "buffer_after_minutes"))
        taken = appointments.select_taken(
            tx,
            user_ids=booking["hosts"],
            starts=starts,
            ends=ends,
            event_type_uid=None,
            except_uid=booking["uid"],
        )
        in_the_way = [row for row in taken if row["claim_start"] < ends + after and starts - before < row["claim_end"]]
        if in_the_way:
            own = sorted(row["number"] for row in in_the_way if row["user_id"] == booking["user_id"] and row["number"])
            raise ApiError(409, "booking_conflict", "This time is already taken", conflicts=own)
    return change(tx, booking, starts, ends, title)


def change(tx: Transaction, booking: Row, start: datetime, end: datetime, title: str | None = None) -> Row:
    """Give a booking another time or title, for all its hosts, and tell everybody."""
    moved: list[Row] = appointments.move_appointment(
        tx, uid=booking["uid"], start_time=start, end_time=end, title=title
    )
    _tell(tx, booking["uid"], "APPOINTMENT_MOVED", "BOOKING_MOVED")
    return _own(moved, booking)


def cancel(tx: Transaction, booking: Row, reason: str | None = None) -> Row:
    """Cancel a booking, for all its hosts; raise ApiError 409 where it is cancelled already."""
    cancelled: list[Row] = appointments.cancel_appointment(tx, uid=booking["uid"], reason=reason)
    if not cancelled:
        raise _is_cancelled()
    _tell(tx, booking["uid"], "APPOINTMENT_CANCELLED", "BOOKING_CANCELLED")
    return _own(cancelled, booking)


def seize(tx: Transaction, uid: str, user_id: int | None = None) -> Row | None:
    """Lock the diaries of a booking's hosts and return it as it stands then: a given host's row, or the first."""
    booking: Row | None = appointments.select_appointment(tx, uid=uid, user_id=user_id)
    if booking is not None:
        appointments.lock_diaries(tx, user_ids=booking["hosts"])
        booking = appointments.select_appointment(tx, uid=uid, user_id=user_id)
    return booking


def is_managed_by(booking: Row | None, token: str) -> bool:
    """Tell whether a token manages a booking."""
    known = bytes(booking["manage_token_hash"]) if booking else b""
    return hmac.compare_digest(known, _hash(token))


def _as_booked(event_type: EventType, booking: Row) -> EventType:
    """Return the rules for a booking that moves: it is as long as it is, and all its hosts move with it."""
    return replace(
        event_type,
        duration_minutes=-(-(booking["end_time"] - booking["start_time"]) // _MINUTE),
        buffer_before_minutes=booking["buffer_before_minutes"],
        buffer_after_minutes=booking["buffer_after_minutes"],
        assignment="all",
    )


def _not_bookable(codes: AbstractSet[Rule]) -> ApiError:
    return ApiError(400, "not_bookable", "This time cannot be booked", rules=_for_guests(codes))


def _for_guests(codes: AbstractSet[Rule]) -> list[dict[str, str]]:
    return [{"code": code.value, "detail": _TO_GUESTS[code]} for code in Rule if code in codes]


def _everybody(mode: str, user_ids: list[int]) -> tuple[list[int], dict[str, Any]]:
    return user_ids, {"mode": mode, "chosen": user_ids, "passed_over": []}


def _held(tx: Transaction, event_type_id: int, request: dict[str, Any]) -> Row | None:
    """Return the hold that a guest books on; one that has run out is none."""
    if request["hold"] is None:
        return None
    held: Row | None = appointments.select_hold(tx, uid=request["hold"], event_type_id=event_type_id)
    if held is not None and held["start_time"] != request["start"]:
        raise ApiError(400, "validation_error", "The hold is for another time")
    return held


def _tell(tx: Transaction, uid: str, kind: str, notification: str, token: str | None = None) -> None:
    told = appointments.tell_of_appointment(
        tx, uid=uid, kind=kind, type=notification, manage_token=token, request_id=g.request_id
    )
    for row in told:
        outbox.announce(tx, row["id"])


def _own(rows: Sequence[Row], booking: Row) -> Row:
    """Return the row of the host who has asked, or of the first one."""
    return next((row for row in rows if row["id"] == booking["id"]), rows[0])


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _is_cancelled() -> ApiError:
    return ApiError(409, "booking_cancelled", "This booking is cancelled; make a new one")
