"""Write the invitation of a mail about a booking, for calendars (RFC 5545 and 5546)."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from email.utils import parseaddr
from typing import Any
from urllib.parse import quote

from icalendar import Calendar, Event, vCalAddress

from jobs.addresses import to_ascii
from jobs.mails.lines import one_line
from jobs.mails.links import without_links
from jobs.mails.rendering import RenderingError
from jobs.mails.times import moment

METHODS: Mapping[str, str] = {
    "BOOKING_CONFIRMATION": "REQUEST",
    "BOOKING_CANCELLED": "CANCEL",
    "APPOINTMENT_CONFIRMED": "REQUEST",
    "APPOINTMENT_MOVED": "REQUEST",
    "APPOINTMENT_RENAMED": "REQUEST",
    "APPOINTMENT_CANCELLED": "CANCEL",
}
STATUSES: Mapping[str, str] = {"REQUEST": "CONFIRMED", "CANCEL": "CANCELLED"}
# These need no quoting in the address of a mailto URI (RFC 6068, section 2).
_UNQUOTED = "!$'*+@"


def write_invitation(
    kind: str, data: Mapping[str, Any], *, sender: str, recipient: str, created_at: datetime
) -> str | None:
    """Return the iCalendar text of a mail, or None for one without; equal arguments become equal bytes.

    A calendar recognises the booking by its UID and takes the highest SEQUENCE. Raises RenderingError.
    """
    # Rows of an earlier release, whose mails about ordinary bookings had no invitation.
    if kind not in METHODS or (kind.startswith("BOOKING_") and "uid" not in data):
        return None
    calendar = Calendar()
    calendar.add("prodid", "-//Scheduling//Scheduling//EN")
    calendar.add("version", "2.0")
    calendar.add("method", METHODS[kind])
    try:
        event = _event(STATUSES[METHODS[kind]], data, created_at)
        # The sender, for guest and hosts alike: calendars ignore an invitation from their own owner.
        event.add("organizer", _organizer(sender))
        for attendee in _attendees(data, recipient):
            event.add("attendee", attendee)
        calendar.add_component(event)
        return calendar.to_ical().decode()
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise RenderingError(f"The data do not fit the invitation of {kind}.") from error


def _event(status: str, data: Mapping[str, Any], created_at: datetime) -> Event:
    event = Event()
    event.add("uid", f"{data['uid']}@scheduling")
    event.add("sequence", int(data["sequence"]))
    event.add("dtstamp", created_at)
    event.add("dtstart", moment(data["start_time"]))
    event.add("dtend", moment(data["end_time"]))
    event.add("summary", one_line(without_links(data["title"])))
    event.add("status", status)
    # The address of a guest is not verified, so its owner is sent no text that the guest typed.
    if data.get("role") == "host" and data["guest"]["notes"]:
        event.add("description", "\n".join(_lines(without_links(data["guest"]["notes"]))))
    return event


def _organizer(sender: str) -> vCalAddress:
    name, address = parseaddr(sender)
    return _mailbox(address, name)


def _attendees(data: Mapping[str, Any], recipient: str) -> Iterator[vCalAddress]:
    """Yield each person once; a guest's own name is left out of the guest's copy, because anybody may have typed it."""
    match data.get("role"):
        case None:
            people = [{"email": recipient, "name": data["name"]}]
        case "guest":
            people = [data["guest"] | {"name": ""}, *_hosts(data)]
        case _:
            people = [data["guest"], *_hosts(data)]
    for email, name in {person["email"]: person["name"] for person in people}.items():
        attendee = _mailbox(email, without_links(name))
        attendee.params["PARTSTAT"] = "ACCEPTED"
        yield attendee


def _hosts(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    if not data["hosts"]:
        raise ValueError("A meeting needs a host.")
    return list(data["hosts"])


def _mailbox(email: str, name: str) -> vCalAddress:
    mailbox = vCalAddress(f"mailto:{quote(to_ascii(email), safe=_UNQUOTED)}")
    if line := one_line(name):
        mailbox.params["CN"] = line
    return mailbox


def _lines(text: str) -> Iterator[str]:
    """Yield the lines of a text without the control characters that no calendar may hold."""
    return (one_line(line) for line in text.splitlines())
