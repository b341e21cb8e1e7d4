"""Send through SendGrid (https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send)."""

from base64 import b64encode
from email.utils import parseaddr
from typing import Any

import orjson

from jobs.providers.http import Api, Timeouts, identifier
from jobs.providers.provider import CALENDAR_NAME, Message

BASE_URL = "https://api.sendgrid.com"


class SendGrid:
    """Send mails with a key.

    SendGrid does not deduplicate. The idempotency key is sent as a custom argument, so that its event log shows a
    repetition, and as a header, for proxies that deduplicate.
    """

    def __init__(self, key: str, base_url: str = "", timeouts: Timeouts | None = None) -> None:
        self.api = Api(f"{(base_url or BASE_URL).rstrip('/')}/v3/mail/send", key, timeouts)

    def send(self, message: Message) -> str:
        """Offer a mail once and return SendGrid's id of it.

        Raises DeliveryError.
        """
        name, address = parseaddr(message.sender)
        body: dict[str, Any] = {
            "personalizations": [{"to": [{"email": message.to}]}],
            "from": {"email": address, "name": name} if name else {"email": address},
            "subject": message.subject,
            "content": [
                {"type": "text/plain", "value": message.text},
                {"type": "text/html", "value": message.html},
            ],
            "custom_args": {"idempotency_key": message.idempotency_key},
        }
        match message.reply_to:
            case []:
                pass
            case [one]:
                body["reply_to"] = {"email": one}
            case several:
                body["reply_to_list"] = [{"email": one} for one in several]
        if message.calendar is not None:
            # SendGrid refuses a type with a charset; it adds the charset of the mail.
            body["content"].append(
                {"type": f"text/calendar; method={message.calendar_method}", "value": message.calendar}
            )
            body["attachments"] = [
                {
                    "content": b64encode(message.calendar.encode()).decode(),
                    "type": "application/ics",
                    "filename": CALENDAR_NAME,
                    "disposition": "attachment",
                }
            ]
        answer = self.api.post(orjson.dumps(body), message.idempotency_key)
        return identifier(answer.headers.get("X-Message-Id"))
