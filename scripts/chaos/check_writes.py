"""Hold what PostgreSQL has against what the clients were told."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

from scripts.chaos.events import CANCELLED, changes, events
from scripts.chaos.evidence import BookingRow, Evidence
from scripts.chaos.history import Operation, Outcome

CREATIONS = ("register", "create", "found", "invite")


def acknowledged_writes_are_there(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each write that was acknowledged and is not there."""
    found = _creations(evidence)
    for operation in evidence.operations:
        if operation.kind in CREATIONS and operation.outcome is Outcome.OK and not found[_identity(operation)]:
            yield f"{_name(operation)} was acknowledged and is not there."
    ids = {booking.title: booking.id for booking in evidence.bookings}
    for operation in evidence.operations:
        found_id = ids.get(operation.marker, operation.row_id)
        if operation.row_id is not None and operation.row_id != found_id:
            yield f"{_name(operation)} was answered with id {operation.row_id} and has id {found_id}."


def refused_writes_left_nothing(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each write that was refused and is there all the same."""
    found = _creations(evidence)
    for operation in evidence.operations:
        if operation.kind in CREATIONS and operation.outcome is Outcome.FAIL and found[_identity(operation)]:
            yield f"{_name(operation)} was refused ({operation.code}) and is there all the same."


def keys_have_one_effect(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each write that happened more than once, or that nobody asked for."""
    asked = {_identity(operation) for operation in evidence.operations if operation.kind in CREATIONS}
    for (kind, marker, recipient), count in _creations(evidence).items():
        if count > 1:
            yield f"The {kind} {marker} {recipient} happened {count} times under one key."
        if (kind, marker, recipient) not in asked:
            yield f"The {kind} {marker} {recipient} is there and nobody asked for it."


def bookings_end_as_told(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each booking whose state or number of changes differs from its history."""
    told: dict[str, list[Operation]] = defaultdict(list)
    for operation in evidence.operations:
        if operation.kind in ("cancel", "restore"):
            told[operation.marker].append(operation)
    for booking in evidence.bookings:
        outcomes = Counter(operation.outcome for operation in told[booking.title])
        least, most = outcomes[Outcome.OK], outcomes[Outcome.OK] + outcomes[Outcome.UNKNOWN]
        happened = booking.version - 1
        if not least <= happened <= most:
            yield (
                f"Booking {booking.id} ({booking.title}) was changed {happened} times; acknowledged were {least},"
                f" and {most - least} are unknown."
            )
        expected = "cancelled" if changes(booking)[-1] == CANCELLED else "confirmed"
        if booking.status != expected:
            yield f"Booking {booking.id} ({booking.title}) is {booking.status} and must be {expected}."


def refused_changes_have_a_reason(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each cancellation that was refused: its client alone changes the booking."""
    for operation in evidence.operations:
        if operation.kind == "cancel" and operation.outcome is Outcome.FAIL:
            yield f"{_name(operation)} was refused ({operation.code}) although the booking was confirmed."
        if operation.kind == "restore" and operation.outcome is Outcome.FAIL and operation.code != "booking_conflict":
            yield f"{_name(operation)} was refused ({operation.code}) although the booking was cancelled."


def exclusive_bookings_do_not_overlap(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each pair of exclusive bookings of one person that overlap."""
    diaries: dict[str, list[BookingRow]] = defaultdict(list)
    for booking in evidence.bookings:
        if booking.exclusive and booking.status == "confirmed":
            diaries[booking.email].append(booking)
    for email, bookings in diaries.items():
        bookings.sort(key=lambda booking: booking.start_time)
        for earlier, later in pairwise(bookings):
            if later.start_time < earlier.end_time:
                yield f"The exclusive bookings {earlier.id} and {later.id} of {email} overlap."


def notifications_equal_events(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each event without its notification, and each notification without its event."""
    expected = Counter(
        {
            (event.type, event.recipient, event.booking_id, event.organization_id): count
            for event, count in events(evidence).items()
            if event.notified
        }
    )
    found = Counter((row.type, row.email, row.booking_id, row.organization_id) for row in evidence.notifications)
    for key in expected.keys() | found.keys():
        if expected[key] != found[key]:
            kind, email, booking_id, organization_id = key
            about = f"booking {booking_id}" if booking_id else f"organization {organization_id}"
            yield f"{email} has {found[key]} notifications {kind} about {about}, and there were {expected[key]} events."


def _creations(evidence: Evidence) -> Counter[tuple[str, str, str]]:
    counter: Counter[tuple[str, str, str]] = Counter(("register", email, email) for email in evidence.users)
    counter.update(("create", booking.title, booking.email) for booking in evidence.bookings)
    for organization in evidence.organizations:
        counter["found", organization.name, ""] += 1
        counter.update(("invite", organization.name, member) for member in organization.members)
    return counter


def _identity(operation: Operation) -> tuple[str, str, str]:
    return operation.kind, operation.marker, operation.recipient


def _name(operation: Operation) -> str:
    identity = f" (key {operation.key})" if operation.key else ""
    return f"The {operation.kind} of {operation.marker} for {operation.recipient or operation.user}{identity}"
