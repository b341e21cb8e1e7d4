"""A fake e-mail provider: speaks as much of Resend's API as a worker needs, and remembers all that it was offered."""

import asyncio
import json
import re
import threading
import time
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Generic, Self, TypeVar

from scripts.stack.ports import free_port

HOST = "127.0.0.1"
ACT_SECONDS = 10.0

_HEAD = re.compile(
    rb"\A[A-Z]+ \S+ HTTP/1\.1\r\n(?=.*?\r\nauthorization: *Bearer (?P<token>[^\r]*)\r\n)"
    rb"(?=.*?\r\nidempotency-key: *(?P<key>\S+)\r\n)(?=.*?\r\ncontent-length: *(?P<length>\d+)\r\n).*?\r\n\r\n",
    re.DOTALL | re.IGNORECASE,
)


@dataclass(slots=True)
class Offer:
    """One request of a worker: the key and bytes of a mail, when it came and when it was answered."""

    token: str
    key: str
    content: bytes
    arrived: float = field(default_factory=time.monotonic)
    answered: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider says to an offer."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    def render(self) -> bytes:
        """Return the answer as it goes over the wire."""
        headers = {"Content-Type": "application/json", "Content-Length": str(len(self.body)), **self.headers}
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}", *map(": ".join, headers.items()), "", ""]
        return "\r\n".join(lines).encode() + self.body


class Accepted:
    """What was accepted under each key; threads share it."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._contents)

    def accept(self, key: str, content: bytes) -> tuple[bool, bool]:
        """Accept a mail unless it was accepted before; tell whether it was, and whether with other bytes."""
        # https://resend.com/docs/dashboard/emails/idempotency-keys
        with self._lock:
            is_repeated = key in self._contents
            return is_repeated, self._contents.setdefault(key, content) != content


def success(key: str) -> Answer:
    """Return the answer to a mail that was accepted."""
    return Answer(200, json.dumps({"id": f"resend-{key}"}).encode())


def refusal(status: int, name: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer that names an error."""
    return Answer(status, json.dumps({"name": name}).encode(), headers or {})


CHANGED = refusal(409, "invalid_idempotent_request")
AnyOffer = TypeVar("AnyOffer", bound=Offer)


class Provider(Generic[AnyOffer]):
    """Listens on the loopback interface, in a thread of its own; accepts every mail after a delay."""

    def __init__(self, delay: float = 0.0) -> None:
        self.delay = delay
        self.port = free_port()
        self.offers: list[AnyOffer] = []
        self.accepted = Accepted()
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="provider", daemon=True)

    @property
    def url(self) -> str:
        """Return the base address."""
        return f"http://{HOST}:{self.port}"

    def receive(self, token: str, key: str, content: bytes) -> AnyOffer:
        """Write an offer down."""
        offer: Any = Offer(token, key, content)
        self.offers.append(offer)
        return offer

    async def respond(self, offer: AnyOffer) -> Answer | None:
        """Decide how an offer is answered; None closes its connection."""
        if self.delay:
            await asyncio.sleep(self.delay)
        _, is_changed = self.accepted.accept(offer.key, offer.content)
        return CHANGED if is_changed else success(offer.key)

    def open(self) -> None:
        """Listen."""
        if not self._thread.is_alive():
            self._thread.start()
        if self._server is None:
            self._server = self._act(self._loop.create_server(lambda: _Connection(self), HOST, self.port))

    def close(self) -> None:
        """Listen no more; connections that are open stay open."""
        server, self._server = self._server, None
        if server is not None:
            self._act(_close(server))

    def end(self) -> None:
        """Close for good, whatever answers are due."""
        self.close()
        if self._thread.is_alive():
            self._act(_cancel_answers())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(ACT_SECONDS)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def _act(self, action: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(action, self._loop).result(ACT_SECONDS)


async def _cancel_answers() -> None:
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


async def _close(server: asyncio.Server) -> None:
    server.close()


class _Connection(asyncio.Protocol):
    """A connection of a worker, which sends its next mail when the last one is answered."""

    def __init__(self, provider: Provider[Any]) -> None:
        self._provider = provider
        self._received = b""
        self._answering: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember whom to answer."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer a mail that has arrived to its end."""
        self._received += data
        head = _HEAD.match(self._received)
        if head is None or len(self._received) < head.end() + int(head["length"]):
            return
        content, self._received = self._received[head.end() :], b""
        offer = self._provider.receive(head["token"].decode(), head["key"].decode(), content)
        self._answering = asyncio.get_running_loop().create_task(self._answer(offer))

    async def _answer(self, offer: Offer) -> None:
        answer = await self._provider.respond(offer)
        # A worker that was killed is gone.
        with suppress(OSError):
            if answer is None:
                self._transport.close()
            else:
                self._transport.write(answer.render())  # type: ignore[attr-defined]
        offer.answered = time.monotonic()
