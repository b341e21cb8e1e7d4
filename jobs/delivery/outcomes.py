"""How providers answer, counted by class until it is reported."""

import threading
from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Outcomes:
    """How the provider answered since that was last reported, by class; jobs and sweep count together."""

    _counts: Counter[str] = field(default_factory=Counter)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def add(self, outcome: str, count: int = 1) -> None:
        """Count some."""
        with self._guard:
            self._counts[outcome] += count

    def take(self) -> dict[str, int]:
        """Return the counts and begin anew."""
        with self._guard:
            counts, self._counts = self._counts, Counter()
        return dict(counts)
