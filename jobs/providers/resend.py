"""Send through Resend (https://resend.com/docs/api-reference/emails/send-email)."""

from base64 import b64encode
from typing import Any

import orjson

from jobs.providers.http import Api, Timeouts, identifier
from jobs.providers.provider import CALENDAR_NAME, Message

BASE_URL = "https://api.resend.com"


class Resend:
    """Send mails with a key; Resend ignores a repeated idempotency key for 24 hours."""

    def __init__(self, key: str, base_url: str = "", timeouts: Timeouts | None = None) -> None:
        self.api = Api(f"{(base_url or BASE_URL).rstrip('/')}/emails", key, timeouts)

    def send(self, message: Message) -> str:
        """Offer a mail once and return Resend's id of it.

        Raises DeliveryError.
        """
        body: dict[str, Any] = {
            "from": message.sender,
            "to": [message.to],
            "subject": message.subject,
            "text": message.text,
            "html": message.html,
        }
        if message.reply_to:
            body["reply_to"] = list(message.reply_to)
        if message.calendar is not None:
            # The API takes no part besides text and HTML, so the invitation is an attachment.
            body["attachments"] = [
                {
                    "filename": CALENDAR_NAME,
                    "content": b64encode(message.calendar.encode()).decode(),
                    "content_type": f"text/calendar; charset=utf-8; method={message.calendar_method}",
                }
            ]
        answer = self.api.post(orjson.dumps(body), message.idempotency_key)
        return identifier(answer.body.get("id"))
