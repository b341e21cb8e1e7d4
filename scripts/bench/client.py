"""The built-in load generator: keep-alive clients in one process, for machines without wrk.

It is a process of its own: `python -m scripts.bench.client PORT CLIENTS SECONDS FILE`.
"""

import argparse
import json
import re
import selectors
import socket
import statistics
import sys
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

HOST = "127.0.0.1"
CONNECT_SECONDS = 5.0
RECEIVE_BYTES = 65536

HEAD = re.compile(rb"HTTP/1\.1 (\d{3}) .*?\r\nContent-Length: *(\d+)(?=\r\n).*?\r\n\r\n", re.DOTALL | re.IGNORECASE)


class Client:
    """One keep-alive connection, which sends its next request as soon as the last one is answered."""

    def __init__(self, port: int, requests: Iterator[bytes], selector: selectors.BaseSelector) -> None:
        self._port = port
        self._requests = requests
        self._selector = selector
        self.latencies: list[float] = []
        self.errors = 0
        self.start()

    def start(self) -> None:
        """Connect and send the first request."""
        self._received = b""
        self._socket = socket.create_connection((HOST, self._port), timeout=CONNECT_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(self._socket, selectors.EVENT_READ, self)
        self._send()

    def go_on(self) -> None:
        """Take what has arrived; a connection that broke is an error, and another one takes its place."""
        try:
            self._receive()
        except OSError:
            self.errors += 1
            self._selector.unregister(self._socket)
            self._socket.close()
            self.start()

    def _receive(self) -> None:
        part = self._socket.recv(RECEIVE_BYTES)
        if not part:
            raise ConnectionResetError
        self._received += part
        if (head := HEAD.match(self._received)) is None or len(self._received) < head.end() + int(head[2]):
            return
        self.latencies.append(time.perf_counter() - self._sent_at)
        self.errors += not head[1].startswith(b"2")
        self._received = b""
        self._send()

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._socket.sendall(next(self._requests))


def main() -> None:
    """Send requests for a while, and report in one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, kind in {"port": int, "clients": int, "seconds": float, "file": Path}.items():
        parser.add_argument(name, type=kind)
    try:
        print(json.dumps(drive(**vars(parser.parse_args()))))
    except OSError as error:
        sys.exit(f"load generator: {error}")


def drive(port: int, clients: int, seconds: float, file: Path) -> dict[str, float]:
    """Send the requests of a file, separated by NUL, for a while; return what all clients have seen."""
    requests = cycle(file.read_bytes().split(b"\0"))
    with selectors.DefaultSelector() as selector:
        started = time.perf_counter()
        busy = [Client(port, requests, selector) for _ in range(clients)]
        while (left := started + seconds - time.perf_counter()) > 0:
            for key, _ in selector.select(left):
                key.data.go_on()
        elapsed = time.perf_counter() - started
    latencies = [latency * 1000 for client in busy for latency in client.latencies]
    # Two values at least, whatever happened: their number says whether they mean anything.
    percentiles = statistics.quantiles([*latencies, 0.0, 0.0] if len(latencies) < 2 else latencies, n=100)
    return {
        "requests": len(latencies),
        "errors": sum(client.errors for client in busy),
        "seconds": elapsed,
        "p50_ms": percentiles[49],
        "p99_ms": percentiles[98],
    }


if __name__ == "__main__":
    main()
