"""Mails as they leave a worker, and what stands where in them."""

import html
import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from icalendar import Calendar, Event

from jobs.delivery.deliver import make_delivery
from jobs.providers.factory import make_provider
from jobs.settings import EmailSettings
from sql.database import Database
from sql.pool import Session


def deliver_all(database_url: str, folder: Path, sender: str = "Acme <noreply@example.com>") -> list[EmailMessage]:
    """Let a worker send all that is due, and return it in the order in which it was promised."""
    settings = EmailSettings(
        provider="mock",
        sender=sender,
        rate_limit=6000,
        retry_attempts=1,
        concurrency=1,
        mock_folder=str(folder),
        mock_delay=0,
    )
    database = Database(database_url, size=2, session=Session("delivery"))
    try:
        make_delivery(database, settings, make_provider(settings)).drain()
    finally:
        database.close()
    paths = sorted(folder.glob("*.eml"), key=lambda path: int(path.name.partition("-")[0]))
    return [message_from_bytes(path.read_bytes(), policy=default) for path in paths]


def event_of(mail: EmailMessage) -> tuple[str, Event]:
    """Return what a mail wants of calendars, and with which event; both copies of it are one."""
    (part,) = [part for part in mail.walk() if part.get_content_type() == "text/calendar"]
    (attachment,) = [part for part in mail.walk() if part.get_content_type() == "application/ics"]
    text = part.get_payload(decode=True)
    assert attachment.get_payload(decode=True) == text
    calendar = Calendar.from_ical(text)
    (event,) = calendar.walk("VEVENT")
    assert (calendar.errors, event.errors) == ([], [])
    assert part.get_params() == [("text/calendar", ""), ("charset", "utf-8"), ("method", calendar["METHOD"])]
    return str(calendar["METHOD"]), event


def places(mail: EmailMessage) -> dict[str, str]:
    """Return every text of a mail by where it stands: headers, text, page and each property of the event."""
    found: dict[str, Any] = {name: str(value) for name, value in mail.items()}
    found["text"] = mail.get_body(("plain",)).get_content()
    found["page"] = visible(mail.get_body(("html",)).get_content())
    if any(part.get_content_type() == "text/calendar" for part in mail.walk()):
        _, event = event_of(mail)
        for name, value in event.property_items(recursive=False):
            params = " ".join(str(param) for param in getattr(value, "params", {}).values())
            found[name] = f"{found.get(name, '')} {getattr(value, 'dt', value)} {params}"
    return found


def visible(page: str) -> str:
    """Return what a reader sees of a page, as lines."""
    return html.unescape(re.sub(r"<[^>]*>", "\n", re.sub(r"(?s)<style.*?</style>", "", page)))
