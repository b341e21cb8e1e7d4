"""HTTP as bytes on a wire, for what no well-behaved client would send."""

import re
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from time import monotonic
from urllib.parse import urlsplit

from tests.attack.ledger import LEDGER

_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3}) ")


def head(method: str, path: str, *lines: str) -> bytes:
    """Return a request line and headers, with the empty line after them."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *lines, "", ""]).encode("latin-1")


class Wire:
    """A connection of its own to a server."""

    def __init__(self, url: str, *, window: int | None = None) -> None:
        """Connect; `window` is how many bytes may wait here unread."""
        self.socket = socket.socket()
        if window is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        self.socket.settimeout(15)
        self.socket.connect((urlsplit(url).hostname, urlsplit(url).port))

    def send(self, content: bytes) -> "Wire":
        """Send bytes as they are; who is hung up on notices when it reads."""
        with suppress(ConnectionError):
            self.socket.sendall(content)
        return self

    def read(self, *, within: float) -> bytes:
        """Return all that comes until the other side closes; TimeoutError when it does not."""
        deadline, content = monotonic() + within, b""
        while True:
            self.socket.settimeout(max(0.001, deadline - monotonic()))
            try:
                piece = self.socket.recv(65_536)
            except ConnectionError:
                break
            if not piece:
                break
            content += piece
        for status in _STATUS.findall(content):
            LEDGER.note(int(status))
        return content

    def answers(self, *, within: float = 10) -> list[int]:
        """Return the statuses of all that comes until the other side closes."""
        return [int(status) for status in _STATUS.findall(self.read(within=within))]

    def close(self) -> None:
        """Hang up."""
        self.socket.close()


class Crowd:
    """Many clients that are slow in the same way."""

    def __init__(self, stack: ExitStack, url: str, number: int, *, window: int | None = None) -> None:
        self.wires = [Wire(url, window=window) for _ in range(number)]
        for wire in self.wires:
            stack.callback(wire.close)

    def send(self, content: bytes) -> "Crowd":
        """Let each send the same."""
        for wire in self.wires:
            wire.send(content)
        return self

    def read(self, *, within: float) -> list[bytes]:
        """Return what each gets until it is hung up on."""
        with ThreadPoolExecutor(len(self.wires)) as threads:
            return list(threads.map(lambda wire: wire.read(within=within), self.wires))


def slowest(ask: Callable[[], object], *, until: Callable[[], bool]) -> float:
    """Ask again and again until a condition holds, at least once; return the longest time an answer took."""
    longest = 0.0
    while True:
        began = monotonic()
        ask()
        longest = max(longest, monotonic() - began)
        if until():
            return longest
