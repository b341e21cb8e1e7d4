"""A provider that behaves like Resend, except where a fault tells it not to, and that remembers everything."""

import asyncio
import hashlib
import json
import threading
from base64 import b64decode
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Any

from scripts.chaos.history import now
from scripts.stack import provider as stack
from scripts.stack.provider import CHANGED, Answer, refusal, success

# Recipients that the provider refuses for good.
REFUSED = "refused-"
# Longer than the worker waits for an answer.
LATE_SECONDS = 12.0
# How long an answer takes, at least and at most.
DELAYS = (0.02, 0.06)
# How often a fault of the provider strikes while it lasts; the other mails pass.
SHARE = 0.6

# More than are made while one is in hand.
OFFERS_SEEN = 1000

NORMAL = "accepted"
DROP = "accepts, then drops"
LATE = "accepts, then times out"
GARBAGE = "garbage"
ERROR = "500"
THROTTLE = "429 with Retry-After"
CLOSED = "refused"
UNPROCESSABLE = "422"
AMBIGUOUS = frozenset({DROP, LATE})
NOT_ACCEPTED = frozenset({ERROR, THROTTLE, CLOSED, UNPROCESSABLE})


@dataclass(slots=True)
class Offer(stack.Offer):
    """One request of a worker and how it was answered; of the content only the digest is kept."""

    recipient: str = ""
    subject: str = ""
    answer: str = NORMAL
    accepted_at: float | None = None
    # The key was accepted before, with the same content or with another one.
    is_repeated: bool = False
    is_changed: bool = False
    # What it tells calendars: which meeting, and how often that was changed.
    meeting: str = ""
    sequence: int | None = None

    @property
    def worker(self) -> str:
        """Return who offers: the key of the API is the name of the worker."""
        return self.token


class Provider(stack.Provider[Offer]):
    """The fake; `fault` is what goes wrong at the moment."""

    def __init__(self, seed: int = 0, delays: tuple[float, float] = DELAYS) -> None:
        super().__init__()
        self.delays = delays
        self.fault = NORMAL
        self._late_next: set[str] = set()
        self._lock = threading.Lock()
        self._random = Random(f"{seed} provider")  # noqa: S311  chooses who is struck

    def in_hand(self, worker: str) -> list[str]:
        """Return the keys of the mails that a worker waits for an answer about."""
        with self._lock:
            return [
                offer.key for offer in self.offers[-OFFERS_SEEN:] if offer.worker == worker and offer.answered is None
            ]

    def has_offers(self, keys: Iterable[str], since: float) -> bool:
        """Tell whether one of these mails was offered after a moment."""
        with self._lock:
            return any(offer.key in keys and offer.arrived > since for offer in self.offers[-OFFERS_SEEN:])

    def be_late_next(self, keys: Iterable[str]) -> None:
        """Accept the next offer of these mails, but answer it late: somebody else wakes up meanwhile."""
        with self._lock:
            self._late_next.update(keys)

    def receive(self, token: str, key: str, content: bytes) -> Offer:
        """Write an offer down and decide how it is answered."""
        mail = json.loads(content)
        meeting, sequence = read_invitation(mail)
        offer = Offer(
            *(token, key, hashlib.sha256(content).digest()),
            recipient=mail["to"][0],
            subject=mail["subject"],
            meeting=meeting,
            sequence=sequence,
        )
        with self._lock:
            self.offers.append(offer)
            offer.answer = self._choose(offer)
        return offer

    def accept(self, offer: Offer) -> None:
        """Take a mail, unless it was taken before."""
        offer.is_repeated, offer.is_changed = self.accepted.accept(offer.key, offer.content)
        if not offer.is_changed:
            offer.accepted_at = now()

    async def respond(self, offer: Offer) -> Answer | None:
        """Answer an offer as was decided, half of the work before it is accepted and half after."""
        if offer.answer == CLOSED:
            return None
        await asyncio.sleep(self._random.uniform(*self.delays) / 2)
        if offer.answer not in NOT_ACCEPTED:
            self.accept(offer)
        await asyncio.sleep(LATE_SECONDS if offer.answer == LATE else self._random.uniform(*self.delays) / 2)
        if offer.is_changed:
            return CHANGED
        if offer.answer == THROTTLE:
            return refusal(429, "rate_limit_exceeded", {"Retry-After": str(self._random.randint(1, 3))})
        answers = {
            ERROR: refusal(500, "internal_server_error"),
            UNPROCESSABLE: refusal(422, "validation_error"),
            GARBAGE: Answer(200, b"<html>\xff\x00 all is well"),
            DROP: None,
        }
        return answers.get(offer.answer, success(offer.key))

    def _choose(self, offer: Offer) -> str:
        if offer.key in self._late_next:
            self._late_next.discard(offer.key)
            fault = LATE
        elif self.fault == CLOSED:
            return CLOSED
        else:
            fault = self.fault if self._random.random() < SHARE else NORMAL
        if offer.recipient.startswith(REFUSED) and fault not in NOT_ACCEPTED:
            return UNPROCESSABLE
        return fault


def read_invitation(mail: dict[str, Any]) -> tuple[str, int | None]:
    """Return the UID and the SEQUENCE of the iCalendar event that a mail carries, if it does."""
    for attachment in mail.get("attachments", []):
        unfolded = b64decode(attachment["content"]).decode().replace("\r\n ", "")
        lines = (line.partition(":") for line in unfolded.splitlines())
        values = {name: value for name, _, value in lines}
        return values["UID"], int(values["SEQUENCE"])
    return "", None
