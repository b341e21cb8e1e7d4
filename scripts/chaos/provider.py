"""A provider that behaves like Resend, except where a fault tells it not to, and that remembers everything."""

import hashlib
import json
import socket
import threading
from base64 import b64decode
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any

from scripts.chaos.history import now
from scripts.stack.ports import free_port

HOST = "127.0.0.1"
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
class Offer:
    """One request of a worker and how it was answered."""

    worker: str
    key: str
    recipient: str
    subject: str
    content: str
    arrived: float
    answer: str = NORMAL
    accepted_at: float | None = None
    # The key was accepted before, with the same content or with another one.
    is_repeated: bool = False
    is_changed: bool = False
    answered: float | None = None
    # What it tells calendars: which meeting, and how often that was changed.
    meeting: str = ""
    sequence: int | None = None


@dataclass
class Provider:
    """The fake; `fault` is what goes wrong at the moment."""

    seed: int = 0
    delays: tuple[float, float] = DELAYS
    port: int = field(default_factory=free_port)
    fault: str = NORMAL
    offers: list[Offer] = field(default_factory=list)
    _contents: dict[str, str] = field(default_factory=dict)
    _late_next: set[str] = field(default_factory=set)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _closing: threading.Event = field(default_factory=threading.Event)
    _server: "_Server | None" = None

    def __post_init__(self) -> None:
        self._random = Random(f"{self.seed} provider")  # noqa: S311  chooses who is struck

    @property
    def url(self) -> str:
        """Return the base address."""
        return f"http://{HOST}:{self.port}"

    def open(self) -> None:
        """Listen."""
        if self._server is None:
            self._server = _Server(self)
            threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Listen no more; who is connected is cut off at the next request."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def end(self) -> None:
        """Close for good, and let late answers go."""
        self._closing.set()
        self.close()

    def in_hand(self, worker: str) -> list[str]:
        """Return the keys of the mails that a worker waits for an answer about."""
        with self._guard:
            return [
                offer.key for offer in self.offers[-OFFERS_SEEN:] if offer.worker == worker and offer.answered is None
            ]

    def has_offers(self, keys: Iterable[str], since: float) -> bool:
        """Tell whether one of these mails was offered after a moment."""
        with self._guard:
            return any(offer.key in keys and offer.arrived > since for offer in self.offers[-OFFERS_SEEN:])

    def be_late_next(self, keys: Iterable[str]) -> None:
        """Accept the next offer of these mails, but answer it late: somebody else wakes up meanwhile."""
        with self._guard:
            self._late_next.update(keys)

    @property
    def accepted(self) -> int:
        """Return how many mails were accepted."""
        return len(self._contents)

    def receive(self, worker: str, key: str, body: bytes) -> Offer:
        """Write an offer down and decide how it is answered."""
        mail = json.loads(body)
        content = hashlib.sha256(body).hexdigest()
        meeting, sequence = read_invitation(mail)
        offer = Offer(worker, key, mail["to"][0], mail["subject"], content, now(), meeting=meeting, sequence=sequence)
        with self._guard:
            self.offers.append(offer)
            offer.answer = self._choose(offer)
        return offer

    def wait(self, seconds: float) -> None:
        """Let time pass, unless everything ends."""
        self._closing.wait(seconds)

    def delay(self) -> float:
        """Return how long half of the work takes."""
        return self._random.uniform(*self.delays) / 2

    def retry_after(self) -> int:
        """Return the seconds that a throttled worker is told."""
        return self._random.randint(1, 3)

    def accept(self, offer: Offer) -> None:
        """Take a mail, unless it was taken before."""
        with self._guard:
            offer.is_repeated = offer.key in self._contents
            offer.is_changed = self._contents.setdefault(offer.key, offer.content) != offer.content
            if not offer.is_changed:
                offer.accepted_at = now()

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


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        super().__init__((HOST, provider.port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a worker that is killed breaks its connection."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        """Answer an offer."""
        provider = self.server.provider
        worker = self.headers["Authorization"].removeprefix("Bearer ")
        body = self.rfile.read(int(self.headers["Content-Length"]))
        offer = provider.receive(worker, self.headers["Idempotency-Key"], body)
        try:
            self._answer(provider, offer)
        finally:
            offer.answered = now()

    def _answer(self, provider: Provider, offer: Offer) -> None:
        if offer.answer == CLOSED:
            self._hang_up()
            return
        provider.wait(provider.delay())
        if offer.answer not in NOT_ACCEPTED:
            provider.accept(offer)
        provider.wait(LATE_SECONDS if offer.answer == LATE else provider.delay())
        match offer.answer:
            case _ if offer.is_changed:
                self._send(409, {"name": "invalid_idempotent_request"})
            case "500":
                self._send(500, {"name": "internal_server_error"})
            case "422":
                self._send(422, {"name": "validation_error"})
            case "429 with Retry-After":
                self._send(429, {"name": "rate_limit_exceeded"}, ("Retry-After", str(provider.retry_after())))
            case "accepts, then drops":
                self._hang_up()
            case "garbage":
                self._send(200, b"<html>\xff\x00 all is well")
            case _:
                self._send(200, {"id": f"resend-{offer.key}"})

    def _send(self, status: int, content: dict[str, str] | bytes, *headers: tuple[str, str]) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in (("Content-Length", str(len(body))), ("Content-Type", "application/json"), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: Any) -> None:
        """Say nothing: the record says it all."""
