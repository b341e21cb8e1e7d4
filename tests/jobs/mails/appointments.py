"""The data of mails about a guest's booking."""

from datetime import UTC, datetime

from icalendar import Calendar

from jobs.mails.invitations import write_invitation

KINDS = ("APPOINTMENT_CONFIRMED", "APPOINTMENT_MOVED", "APPOINTMENT_RENAMED", "APPOINTMENT_CANCELLED")
CREATED_AT = datetime(2026, 12, 1, 9, 0, 0, 123456, tzinfo=UTC)
SENDER = "Acme <noreply@example.com>"
TOKEN = "the-token-that-manages-the-booking"
BOOKING = {
    "uid": "Qm9va2luZyBieSBhIGd1ZQ",
    "sequence": 0,
    "title": "Intro call",
    "start_time": "2027-01-04T09:00:00+00:00",
    "end_time": "2027-01-04T09:30:00+00:00",
    "guest": {"name": "Gwen", "email": "gwen@example.com", "time_zone": "Asia/Kathmandu", "notes": "I bring cake."},
    "hosts": [{"name": "Alice", "email": "alice@example.com"}, {"name": "Bob", "email": "bob@example.com"}],
    "reason": None,
}


def told_to(role, **changes):
    """Return the data of a mail to a guest or a host."""
    own = {"role": role, "name": "Gwen" if role == "guest" else "Alice", "time_zone": "Europe/Berlin"}
    return BOOKING | own | ({"manage_token": TOKEN} if role == "guest" else {}) | changes


def invitation(kind="APPOINTMENT_CONFIRMED", role="host", *, sender=SENDER, created_at=CREATED_AT, **changes):
    """Return the iCalendar text of a mail to a host, or to the guest."""
    recipient = "gwen@example.com" if role == "guest" else "alice@example.com"
    data = told_to(role, **changes)
    return write_invitation(kind, data, sender=sender, recipient=recipient, created_at=created_at)


def read_event(text):
    """Return the calendar that a text holds, and its one event."""
    calendar = Calendar.from_ical(text)
    (event,) = calendar.walk("VEVENT")
    return calendar, event


def words(text):
    """Return a text without the breaks of its lines."""
    return " ".join(text.split())
