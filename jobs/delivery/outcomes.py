"""Count the outcomes of offers until they are reported."""

import threading
from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Outcomes:
    """Hold the outcomes since the last report; jobs and the sweep count into one object."""

    _counts: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, outcome: str, count: int = 1) -> None:
        """Count an outcome."""
        with self._lock:
            self._counts[outcome] += count

    def take(self) -> dict[str, int]:
        """Return the counts and start again at zero."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        return dict(counts)
