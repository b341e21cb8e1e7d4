"""Derive from the rows what everybody must have been told, once and in order."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from scripts.chaos.evidence import AppointmentRow, BookingRow, Evidence
from scripts.chaos.provider import REFUSED

WELCOME = "WELCOME"
CONFIRMED, CANCELLED, INVITED = "BOOKING_CONFIRMED", "BOOKING_CANCELLED", "ORG_INVITE"
MOVED = "BOOKING_MOVED"
# What a mail about a change of a guest's booking is, and how its subject begins.
OF_GUESTS = {CONFIRMED: "APPOINTMENT_CONFIRMED", MOVED: "APPOINTMENT_MOVED", CANCELLED: "APPOINTMENT_CANCELLED"}
WORDS = {CONFIRMED: "confirmed", MOVED: "moved", CANCELLED: "cancelled"}
MAIL_KINDS = {WELCOME: WELCOME, CONFIRMED: "BOOKING_CONFIRMATION", CANCELLED: "BOOKING_CANCELLED", INVITED: INVITED}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a person is told about, and the kind and the subject of the mail that tells it."""

    type: str
    recipient: str
    subject: str
    booking_id: int | None = None
    organization_id: int | None = None
    of_guest: bool = False
    # Guests have no notifications.
    notified: bool = True

    @property
    def mail(self) -> tuple[str, str, int | None, int | None]:
        """Return what tells its row in the outbox from others."""
        kind = (OF_GUESTS if self.of_guest else MAIL_KINDS)[self.type]
        return kind, self.recipient, self.booking_id, self.organization_id


def changes(booking: BookingRow) -> list[str]:
    """Return what happened to a booking: each cancellation and each restoration made a new version."""
    return [CANCELLED if number % 2 else CONFIRMED for number in range(booking.version)]


def changes_of_guest(booking: AppointmentRow) -> list[str]:
    """Return what happened to a guest's booking: it was moved until it was cancelled, if it was."""
    last = [CANCELLED] if booking.status == "cancelled" else []
    return [CONFIRMED, *[MOVED] * (booking.version - 1 - len(last)), *last]


def by_uid(evidence: Evidence) -> dict[str, list[AppointmentRow]]:
    """Return the bookings by guests, each with the rows of its hosts."""
    found: dict[str, list[AppointmentRow]] = defaultdict(list)
    for row in evidence.appointments:
        found[row.uid].append(row)
    return found


def events(evidence: Evidence) -> Counter[Event]:
    """Count all events by what they are."""
    counter = Counter(Event(WELCOME, email, f"Welcome, {name_of(email)}", notified=False) for email in evidence.users)
    for booking in evidence.bookings:
        counter.update(
            Event(change, booking.email, subject_of(change, booking), booking.id) for change in changes(booking)
        )
    for rows in by_uid(evidence).values():
        counter.update(_events_of_guest(rows))
    for organization in evidence.organizations:
        subject = f"You have been added to {organization.name}"
        counter.update(
            Event(INVITED, member, subject, organization_id=organization.id) for member in organization.members
        )
    return counter


def _events_of_guest(rows: list[AppointmentRow]) -> Iterator[Event]:
    """Yield what each host and the guest are told; the guest's mails are kept with the first row."""
    first = rows[0]
    for change in changes_of_guest(first):
        subject = subject_of(change, first)
        for row in rows:
            yield Event(change, row.email, subject, row.id, of_guest=True)
        yield Event(change, first.guest_email, subject, first.id, of_guest=True, notified=False)


def subject_of(change: str, booking: BookingRow | AppointmentRow) -> str:
    """Return the subject of the mail about a change."""
    return f"Booking {WORDS[change]}: {booking.title}"


def name_of(email: str) -> str:
    """Return the name that somebody registered with."""
    return email.removeprefix(REFUSED).partition("@")[0]
