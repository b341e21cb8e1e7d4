"""Counts what the attacks send, and the answers that must never come back."""

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

# How many requests are wanted; nothing says that the run is the short one.
WANTED = int(os.environ.get("ATTACK_REQUESTS", "0"))


def share(of_requests: float, *, short: int) -> int:
    """Return how many examples a test is to draw: few, or its share of the requests that are wanted."""
    return max(short, int(WANTED * of_requests))


class Ledger:
    """Requests sent and answers above 499, by test; threads may share it."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.test = ""
        self._guard = threading.Lock()

    def note(self, status: int) -> None:
        """Remember an answer."""
        with self._guard:
            self.requests[self.test] += 1
            if status >= 500:
                self.faults[self.test] += 1

    def counting(self, app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        """Return a WSGI application of which every answer is noted."""

        def counted(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            def start(status: str, *rest: Any) -> Any:
                self.note(int(status[:3]))
                return start_response(status, *rest)

            return app(environ, start)

        return counted

    def add(self, requests: dict[str, int], faults: dict[str, int]) -> None:
        """Add what another process has counted."""
        self.requests.update(requests)
        self.faults.update(faults)

    def __str__(self) -> str:
        """Return the line that ends a run."""
        return f"attack: {self.requests.total():,} requests, {self.faults.total():,} answers above 499"


LEDGER = Ledger()
