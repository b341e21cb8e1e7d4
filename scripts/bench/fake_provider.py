"""A provider on the loopback interface that accepts every mail after a delay and remembers the order of the keys."""

import asyncio
import re
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from scripts.stack.ports import free_port
from scripts.stack.servers import HOST

_HEAD = re.compile(
    rb"\A[A-Z]+ \S+ HTTP/1\.1\r\n(?=.*?\r\nidempotency-key: *(?P<key>\S+)\r\n)"
    rb"(?=.*?\r\ncontent-length: *(?P<length>\d+)\r\n).*?\r\n\r\n",
    re.DOTALL | re.IGNORECASE,
)


@dataclass
class FakeProvider:
    """Speaks as much HTTP as a worker needs, for a few microseconds a mail, in a thread of its own."""

    delay: float
    keys: list[str] = field(default_factory=list)
    port: int = field(default_factory=free_port)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    @property
    def url(self) -> str:
        """Return the base address."""
        return f"http://{HOST}:{self.port}"

    def __enter__(self) -> Self:
        self._loop.run_until_complete(self._loop.create_server(lambda: _Conversation(self), HOST, self.port))
        threading.Thread(target=self._loop.run_forever, name="provider", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)


class _Conversation(asyncio.Protocol):
    """One kept connection of a worker, which sends its next mail when the last one is answered."""

    def __init__(self, provider: FakeProvider) -> None:
        self._provider = provider
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember whom to answer."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Accept a mail that has arrived to its end."""
        self._received += data
        head = _HEAD.match(self._received)
        if head is None or len(self._received) < head.end() + int(head["length"]):
            return
        self._received = b""
        self._provider.keys.append(head["key"].decode())
        asyncio.get_running_loop().call_later(self._provider.delay, self._answer)

    def _answer(self) -> None:
        body = b'{"id":"accepted"}'
        with suppress(OSError):
            self._transport.write(  # type: ignore[attr-defined]
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
            )
