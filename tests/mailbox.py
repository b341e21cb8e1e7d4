"""A Resend that keeps what it is offered, for tests to look into; pytest-httpserver serves it."""

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import orjson
from werkzeug import Request, Response

from scripts.stack.provider import CHANGED, Accepted, success

KEY = "re_key"


@dataclass(frozen=True, slots=True)
class Offer:
    """One request of the worker."""

    key: str
    content: bytes

    @property
    def mail(self) -> dict[str, Any]:
        """Return the fields that the provider reads."""
        return orjson.loads(self.content)


@dataclass
class Mailbox:
    """Accept every mail once, as Resend does, unless a test has said what to answer next."""

    offers: list[Offer] = field(default_factory=list)
    mails: dict[str, dict[str, Any]] = field(default_factory=dict)
    refusals: deque[Response] = field(default_factory=deque)
    _accepted: Accepted = field(default_factory=Accepted)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def refuse(self, status: int, times: int = 1, **headers: str) -> None:
        """Answer the next offers with an error."""
        self.refusals.extend(
            Response("{}", status, {name.replace("_", "-"): headers[name] for name in headers}) for _ in range(times)
        )

    @property
    def subjects(self) -> list[str]:
        """Return the subjects of the accepted mails in the order of their acceptance."""
        return [mail["subject"] for mail in list(self.mails.values())]

    def about(self, subject: str) -> dict[str, Any] | None:
        """Return the accepted mail with a subject, if there is one."""
        return next((mail for mail in list(self.mails.values()) if mail["subject"] == subject), None)

    def __call__(self, request: Request) -> Response:
        """Answer an offer."""
        offer = Offer(request.headers["Idempotency-Key"], request.get_data())
        with self._guard:
            self.offers.append(offer)
            if request.headers.get("Authorization") != f"Bearer {KEY}":
                return Response(status=401)
            if self.refusals:
                return self.refusals.popleft()
            _, is_changed = self._accepted.accept(offer.key, offer.content)
            if not is_changed:
                self.mails.setdefault(offer.key, offer.mail)
            answer = CHANGED if is_changed else success(offer.key)
            return Response(answer.body, answer.status, content_type="application/json")
