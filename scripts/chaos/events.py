"""Derive from the rows what everybody must have been told, once and in order."""

from collections import Counter
from dataclasses import dataclass

from scripts.chaos.evidence import BookingRow, Evidence
from scripts.chaos.provider import REFUSED

WELCOME = "WELCOME"
CONFIRMED, CANCELLED, INVITED = "BOOKING_CONFIRMED", "BOOKING_CANCELLED", "ORG_INVITE"
MAIL_KINDS = {WELCOME: WELCOME, CONFIRMED: "BOOKING_CONFIRMATION", CANCELLED: "BOOKING_CANCELLED", INVITED: INVITED}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a person is told about, and the subject of the mail that tells it."""

    type: str
    recipient: str
    subject: str
    booking_id: int | None = None
    organization_id: int | None = None

    def __str__(self) -> str:
        about = f" about booking {self.booking_id}" if self.booking_id else ""
        about += f" about organization {self.organization_id}" if self.organization_id else ""
        return f"{self.type}{about} for {self.recipient}"


def changes(booking: BookingRow) -> list[str]:
    """Return what happened to a booking: each cancellation and each restoration made a new version."""
    return [CANCELLED if number % 2 else CONFIRMED for number in range(booking.version)]


def events(evidence: Evidence) -> Counter[Event]:
    """Count all events by what they are."""
    counter = Counter(Event(WELCOME, email, f"Welcome, {name_of(email)}") for email in evidence.users)
    for booking in evidence.bookings:
        counter.update(
            Event(change, booking.email, subject_of(change, booking), booking.id) for change in changes(booking)
        )
    for organization in evidence.organizations:
        subject = f"You have been added to {organization.name}"
        counter.update(
            Event(INVITED, member, subject, organization_id=organization.id) for member in organization.members
        )
    return counter


def subject_of(change: str, booking: BookingRow) -> str:
    """Return the subject of the mail about a change."""
    return f"Booking {'confirmed' if change == CONFIRMED else 'cancelled'}: {booking.title}"


def name_of(email: str) -> str:
    """Return the name that somebody registered with."""
    return email.removeprefix(REFUSED).partition("@")[0]
