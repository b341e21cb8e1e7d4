"""One mail to send, and readers of what was sent, for the tests of every provider."""

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default

import pytest

from jobs.providers.provider import DeliveryError, Message

MESSAGE = Message(
    email_id=7,
    kind="WELCOME",
    sender="Scheduling <noreply@example.com>",
    to="alice@example.com",
    subject="Welcome, Alice",
    text="Hello Alice,\n\nyour account is ready.\n",
    html="<p>Hello Alice,</p><p>your account is ready.</p>",
    idempotency_key="email-7-4f1c",
    created_at=datetime(2026, 12, 1, 9, 0, tzinfo=UTC),
)


CALENDAR = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\n"
    f"SUMMARY:Zoë\\, Bob = 😀\r\nDESCRIPTION:{'x' * 60} \r\n {'y' * 74}\r\n .\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
INVITATION = replace(MESSAGE, calendar=CALENDAR, calendar_method="REQUEST")


def write_message(**changes):
    """Return the mail with some fields changed."""
    return replace(MESSAGE, **changes)


def read_mail(content):
    """Return the mail that some bytes hold."""
    return message_from_bytes(content, policy=default)


def text_of(mail):
    """Return the text part of a mail with the line ends of Python."""
    return mail.get_body(("plain",)).get_content().replace("\r\n", "\n")


def calendars_of(mail):
    """Return the types and the bytes of the two calendars of a mail: in place of its text, and attached."""
    alternative, attachment = mail.iter_parts()
    *_, part = alternative.iter_parts()
    types = [(one.get_content_type(), dict(one["Content-Type"].params)) for one in (part, attachment)]
    return types, [one.get_payload(decode=True) for one in (part, attachment)]


def refusal_of(provider, message=MESSAGE):
    """Return the error with which a provider refuses a mail."""
    with pytest.raises(DeliveryError) as caught:
        provider.send(message)
    return caught.value
