"""Remember what was asked for and what was answered."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Outcome(StrEnum):
    """What the client knows about an operation."""

    OK = "ok"
    FAIL = "fail"
    """Refused, and nothing else was ever sent under its key."""
    UNKNOWN = "unknown"
    """Perhaps it happened: the client never learned."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request: when it began, how long it took, and its status, or why there was none."""

    began: float
    seconds: float
    status: int | None
    error: str = ""
    retry_after: bool = False
    request_id: str = ""


@dataclass(slots=True)
class Operation:
    """One intent of a client, under one key, however often it was sent.

    `marker` finds it again: the title of a booking, the name of an organization, the address of who registers. For
    an invitation it is the name of the organization, and `recipient` who was invited; for a guest it is the guest's
    name, which no other booking has.
    """

    kind: str
    user: str
    marker: str
    recipient: str
    key: str = ""
    exclusive: bool = False
    row_id: int | None = None
    # Of guests: which booking or hold was answered, which start was wanted, and on which hold.
    uid: str = ""
    start: datetime | None = None
    hold: str = ""
    outcome: Outcome = Outcome.UNKNOWN
    code: str = ""
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def has_doubt(self) -> bool:
        """Tell whether an attempt ended without a definite answer; it may even take effect later."""
        return any(is_doubtful(attempt.status) for attempt in self.attempts)


def is_doubtful(status: int | None) -> bool:
    """Tell whether a request may or may not have had its effect: no answer, or 5xx."""
    return status is None or status >= 500


@dataclass
class History:
    """All operations, in the order of their first attempt; threads share it."""

    operations: list[Operation] = field(default_factory=list)
    # How many requests wait for their answer just now.
    in_flight: int = 0
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def invoke(self, operation: Operation) -> Operation:
        """Remember an operation that is about to be tried."""
        with self._guard:
            self.operations.append(operation)
        return operation

    @contextmanager
    def flight(self) -> Iterator[None]:
        """Count a request while it waits for its answer."""
        with self._guard:
            self.in_flight += 1
        try:
            yield
        finally:
            with self._guard:
                self.in_flight -= 1

    def tally(self) -> Counter[tuple[str, Outcome]]:
        """Count operations by kind and outcome."""
        return Counter((operation.kind, operation.outcome) for operation in list(self.operations))


@dataclass(slots=True)
class Incident:
    """A fault that happened: `in_hand` names the keys of the mails that the victim was offering just then."""

    target: str
    kind: str
    began: float
    ended: float = 0.0
    in_hand: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Return what is counted: both workers are one kind of target."""
        return f"{self.target.partition('_')[0]}: {self.kind}"


def now() -> float:
    """Return the one clock of a run."""
    return time.monotonic()
