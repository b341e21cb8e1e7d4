"""Somebody who goes on doing things until told to stop; each in a thread of its own."""

import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, ClassVar

from scripts.chaos.api import Answer, Api
from scripts.chaos.history import History, Operation

# How often a client does not care about an unknown outcome, as people do who close the window.
CARELESS_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all visitors of a run share; `pause` is how long one rests, in seconds."""

    seed: int
    url: str
    history: History
    stopping: threading.Event
    pause: float


class Visitor(threading.Thread):
    """One visitor; what it does is decided by the seed, when it does it by the machine."""

    # What a visitor does next, and how often.
    habits: ClassVar[Mapping[str, int]] = {}

    def __init__(self, name: str, surroundings: Surroundings) -> None:
        super().__init__(name=name, daemon=True)
        seed, stopping = surroundings.seed, surroundings.stopping
        self._random = Random(f"{seed} {name}")  # noqa: S311  a scenario, no secret
        self.api = Api(surroundings.url, surroundings.history, Random(f"{seed} pauses {name}"), stopping)  # noqa: S311
        self._stopping = stopping
        self._pause = surroundings.pause
        self._count = 0
        self.crash: BaseException | None = None

    def run(self) -> None:
        """Live until told to stop."""
        try:
            while not self._stopping.is_set():
                getattr(self, f"_{self._choose()}")()
                self._stopping.wait(self._random.uniform(0.5, 1.5) * self._pause)
        except Exception as error:  # noqa: BLE001  the run fails with it, whatever it is
            self.crash = error

    def send(self, operation: Operation, method: str, path: str, **options: Any) -> Answer:
        """Perform an operation, mostly until its outcome is known."""
        is_persistent = self._random.random() >= CARELESS_SHARE
        return self.api.perform(operation, method, path, persistent=is_persistent, **options)

    def _choose(self) -> str:
        return self._random.choices(list(self.habits), list(self.habits.values()))[0]

    def _next(self) -> int:
        self._count += 1
        return self._count


def midnight() -> datetime:
    """Return when the period begins in which everybody wants to meet."""
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=30)


def new_key() -> str:
    """Return an idempotency key."""
    return str(uuid.uuid4())
