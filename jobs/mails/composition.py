"""Put a mail together: its text, its invitation and the address to which its reader writes back."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypedDict

from jobs.mails.invitations import METHODS, write_invitation
from jobs.mails.rendering import render
from jobs.mails.reply_to import find_reply_to


class ComposedMail(TypedDict):
    """Hold what is kept of a mail; the names are those of the columns."""

    reply_to: str | None
    subject: str
    text_body: str
    html_body: str
    calendar: str | None
    calendar_method: str | None


def compose(kind: str, data: Mapping[str, Any], *, sender: str, recipient: str, created_at: datetime) -> ComposedMail:
    """Return a mail of a kind; equal arguments become equal bytes.

    Raises RenderingError.
    """
    rendered = render(kind, data)
    calendar = write_invitation(kind, data, sender=sender, recipient=recipient, created_at=created_at)
    return ComposedMail(
        reply_to=find_reply_to(data, recipient),
        subject=rendered.subject,
        text_body=rendered.text,
        html_body=rendered.html,
        calendar=calendar,
        calendar_method=METHODS[kind] if calendar else None,
    )
