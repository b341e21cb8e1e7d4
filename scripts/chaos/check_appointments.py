"""Hold the bookings and holds of guests against what the guests were told."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from scripts.chaos.events import by_uid
from scripts.chaos.evidence import AppointmentRow, Evidence
from scripts.chaos.history import Operation, Outcome

State = tuple[datetime | None, str]
BOOKED = ("guest book", "guest repeat")
TAKEN = frozenset({"slot_taken", "booking_conflict"})


def acknowledged_bookings_of_guests_are_there(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each answer 201 whose booking is not there, or is another one."""
    guests = {uid: rows[0].guest for uid, rows in by_uid(evidence).items()}
    for operation in evidence.operations:
        if (
            operation.kind in BOOKED
            and operation.outcome is Outcome.OK
            and guests.get(operation.uid) != operation.marker
        ):
            found = guests.get(operation.uid, "nobody")
            yield f"{_name(operation)} was acknowledged as {operation.uid}, which {found} has."


def guests_are_booked_once(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each guest with more bookings than were made, however often the request was repeated."""
    uids: dict[str, set[str]] = defaultdict(set)
    for row in evidence.appointments:
        uids[row.guest].add(row.uid)
    for operation in evidence.operations:
        if operation.kind == "guest book":
            found = uids.pop(operation.marker, set())
            if len(found) > 1:
                yield f"{_name(operation)} made {len(found)} bookings in {len(operation.attempts)} attempts."
            if found and operation.outcome is Outcome.FAIL:
                yield f"{_name(operation)} was refused ({operation.code}) and is there all the same."
    for guest in uids:
        yield f"A booking of {guest} is there and nobody asked for it."


def bookings_of_guests_are_whole(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each booking that some of its hosts do not have, or have otherwise."""
    for uid, rows in by_uid(evidence).items():
        states = {(row.start_time, row.end_time, row.status, row.version, row.sequence) for row in rows}
        if len(rows) != rows[0].hosts or len(states) > 1:
            yield f"Booking {uid} has {rows[0].hosts} hosts; {len(rows)} have it, in {len(states)} states."


def bookings_of_guests_end_as_told(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each booking whose time, status or number of changes differs from its history."""
    told: dict[str, list[Operation]] = defaultdict(list)
    for operation in evidence.operations:
        if operation.kind in ("guest book", "guest move", "guest cancel"):
            told[operation.marker].append(operation)
    for uid, (booking, *_) in by_uid(evidence).items():
        states, least, most = _states(told[booking.guest])
        if not least <= booking.version - 1 <= most:
            yield (
                f"Booking {uid} of {booking.guest} was changed {booking.version - 1} times; acknowledged were {least},"
                f" and {most - least} are unknown."
            )
        if _state(booking) not in states:
            yield f"Booking {uid} of {booking.guest} ended as {_state(booking)}; its guest was told {states}."
        if booking.sequence != booking.version - 1:
            yield f"Booking {uid} has version {booking.version} and sequence {booking.sequence}."


def refused_guests_have_a_reason(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each refusal that nothing explains: a guest wants what is offered, and once."""
    for operation in evidence.operations:
        if not operation.kind.startswith("guest") or operation.outcome is not Outcome.FAIL:
            continue
        may_be_taken = operation.kind in ("guest book", "guest hold", "guest move") and not operation.hold
        if not may_be_taken or operation.code not in TAKEN:
            yield f"{_name(operation)} was refused ({operation.code}) and nothing explains it."


def holds_end_as_told(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each hold that was lost, was kept though it was used, or was made though nobody asked."""
    used: dict[str, list[Outcome]] = defaultdict(list)
    asked: dict[str, Operation] = {}
    unknown = 0
    for operation in evidence.operations:
        if operation.hold:
            used[operation.hold].append(operation.outcome)
        if operation.kind == "guest hold":
            unknown += operation.outcome is Outcome.UNKNOWN
            if operation.outcome is Outcome.OK:
                asked[operation.uid] = operation
    there = {hold.uid for hold in evidence.holds}
    for uid, operation in asked.items():
        if uid in there and Outcome.OK in used[uid]:
            yield f"{_name(operation)} is there although it was booked or let go."
        if uid not in there and set(used[uid]) <= {Outcome.FAIL}:
            yield f"{_name(operation)} was acknowledged and is not there."
    if len(there - asked.keys()) > unknown:
        yield f"{len(there - asked.keys())} holds are there that nobody was told of; {unknown} requests had no answer."


def _states(operations: list[Operation]) -> tuple[set[State], int, int]:
    """Return how a booking may have ended, and how often it was changed at least and at most."""
    states: set[State] = set()
    least = most = 0
    for operation in operations:
        if operation.kind == "guest book":
            states = {(operation.start, "confirmed")}
        elif operation.outcome is not Outcome.FAIL:
            after: set[State] = {
                (operation.start, status) if operation.start else (start, "cancelled") for start, status in states
            }
            is_known = operation.outcome is Outcome.OK
            states = after if is_known else states | after
            least, most = least + is_known, most + 1
    return states, least, most


def _state(booking: AppointmentRow) -> State:
    return booking.start_time, booking.status


def _name(operation: Operation) -> str:
    return f"The {operation.kind} of {operation.marker}"
