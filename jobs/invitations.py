"""Write what a mail about a guest's booking tells calendars (RFC 5545 and 5546)."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from icalendar import Calendar, Event, vCalAddress

from jobs.lines import one_line
from jobs.rendering import RenderingError
from jobs.times import moment

METHODS: Mapping[str, str] = {
    "APPOINTMENT_CONFIRMED": "REQUEST",
    "APPOINTMENT_MOVED": "REQUEST",
    "APPOINTMENT_RENAMED": "REQUEST",
    "APPOINTMENT_CANCELLED": "CANCEL",
}
STATUSES: Mapping[str, str] = {"REQUEST": "CONFIRMED", "CANCEL": "CANCELLED"}
# What may stand in the address of a mailto URI as it is (RFC 6068, section 2).
_UNQUOTED = "!$'*+@"


def write_invitation(kind: str, data: Mapping[str, Any], created_at: datetime) -> str | None:
    """Return the iCalendar text of a mail, or None for a kind without one; equal arguments become equal bytes.

    A calendar knows the booking by its UID and takes the highest SEQUENCE. Raises RenderingError.
    """
    if kind not in METHODS:
        return None
    calendar = Calendar()
    calendar.add("prodid", "-//Scheduling//Scheduling//EN")
    calendar.add("version", "2.0")
    calendar.add("method", METHODS[kind])
    try:
        calendar.add_component(_event(STATUSES[METHODS[kind]], data, created_at))
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
    event.add("summary", one_line(data["title"]))
    event.add("status", status)
    # Whoever books with a stranger's address sends that stranger no text of their own.
    if data["role"] == "host" and data["guest"]["notes"]:
        event.add("description", "\n".join(_lines(data["guest"]["notes"])))
    event.add("organizer", _mailbox(data["hosts"][0]))
    for person in (data["guest"], *data["hosts"]):
        attendee = _mailbox(person)
        attendee.params["PARTSTAT"] = "ACCEPTED"
        event.add("attendee", attendee)
    return event


def _mailbox(person: Mapping[str, Any]) -> vCalAddress:
    mailbox = vCalAddress(f"mailto:{quote(person['email'], safe=_UNQUOTED)}")
    mailbox.params["CN"] = one_line(person["name"])
    return mailbox


def _lines(text: str) -> Iterator[str]:
    """Yield the lines of a text without the control characters that no calendar may hold."""
    return (one_line(line) for line in text.splitlines())
