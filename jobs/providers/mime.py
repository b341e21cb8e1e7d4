"""Build the bytes of a mail, which are the same on every attempt."""

from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import parseaddr
from hashlib import sha256

from jobs.mails.lines import one_line
from jobs.providers.provider import CALENDAR_NAME, Message


def address(mailbox: str) -> str:
    """Return the address of a mailbox that may have a name."""
    return parseaddr(one_line(mailbox))[1]


def needs_unicode(message: Message) -> bool:
    """Tell whether an address goes beyond ASCII, which a server must support (RFC 6531)."""
    return not "".join((address(message.sender), address(message.to), *message.reply_to)).isascii()


def message_id(message: Message) -> str:
    """Return the Message-ID that follows from the idempotency key."""
    domain = address(message.sender).rpartition("@")[2]
    return f"<{_digest(message.idempotency_key)}@{domain}>"


def encode(message: Message) -> bytes:
    """Return a mail as RFC 5322 bytes with a text and an HTML part, and a calendar where it has one."""
    policy = SMTPUTF8 if needs_unicode(message) else SMTP
    mail = EmailMessage(policy=policy)
    mail["From"] = one_line(message.sender)
    mail["To"] = one_line(message.to)
    if message.reply_to:
        mail["Reply-To"] = ", ".join(one_line(address) for address in message.reply_to)
    mail["Subject"] = subject = _placeholder(message)
    mail["Date"] = message.created_at
    mail["Message-ID"] = message_id(message)
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: prevents vacation notices
    mail.set_content(message.text, cte="quoted-printable")
    mail.add_alternative(message.html, subtype="html", cte="quoted-printable")
    # Derived from the content too, so that nobody can write the boundary into a title.
    boundary = _digest(message.idempotency_key, message.text, message.html)
    mail.set_boundary(boundary)
    if message.calendar is not None:
        _add_calendar(mail, message.calendar, message.calendar_method or "", _digest(boundary, message.calendar))
    return mail.as_bytes().replace(subject.encode(), _subject(message), 1)


def _add_calendar(mail: EmailMessage, calendar: str, method: str, boundary: str) -> None:
    """Add a calendar twice: some programs read the alternative to the text (RFC 6047), some the attachment."""
    mail.add_alternative(calendar, subtype="calendar", params={"method": method}, cte="quoted-printable")
    mail.add_attachment(calendar.encode(), maintype="application", subtype="ics", filename=CALENDAR_NAME)
    mail.set_boundary(boundary)


def _placeholder(message: Message) -> str:
    """Return a placeholder for the subject in the bytes of a mail; nobody can write it into a title."""
    return _digest(message.idempotency_key, message.subject)


def _subject(message: Message) -> bytes:
    """Return the subject as a header.

    EmailMessage would read encoded words (RFC 2047) in a title, line breaks within them too, as if we had written them.
    """
    text = one_line(message.subject)
    charset = "utf-8" if "=?" in text or not text.isascii() else "us-ascii"
    return Header(text, charset, header_name="Subject").encode(linesep="\r\n").encode()


def _digest(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()[:32]
