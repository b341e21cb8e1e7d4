"""Decide when a mail that was not accepted is offered again, if at all."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from jobs.providers.provider import Failure

# The longest wait is a minute, so that mails go out within a minute of the end of an outage.
OUTAGE = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
# The second wait of a rejected mail is longer than greylisting, usually five minutes (RFC 6647 4).
WAITS: Mapping[Failure, tuple[float, ...]] = MappingProxyType(
    {
        Failure.REJECTED: (5.0, 660.0),
        Failure.THROTTLED: (30.0,),
        Failure.CONFIGURATION: (30.0, 60.0),
        Failure.TRANSIENT: OUTAGE,
        Failure.AMBIGUOUS: OUTAGE,
    }
)


@dataclass(frozen=True, slots=True)
class Step:
    """Say what to do with a mail: give it up for a reason, or try again after some seconds."""

    dead: bool
    wait_seconds: float
    costs_attempt: bool
    alarm: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Bound the repetitions of a mail.

    `attempts` is how often a provider may reject this very mail; an outage uses up none of them. The horizon
    counts from the first offer, and ends before the 24 hours in which Resend remembers an idempotency key. Waits
    are seconds, one tuple a class of failure; the last of a tuple repeats.
    """

    attempts: int
    horizon_seconds: float = 23 * 3600.0
    longest_wait: float = 3600.0
    waits: Mapping[Failure, tuple[float, ...]] = field(default_factory=lambda: WAITS, hash=False)

    def expired(self, age_seconds: float) -> bool:
        """Tell whether a mail that was first offered so long ago is no longer offered."""
        return age_seconds >= self.horizon_seconds

    def next_step(
        self,
        failure: Failure,
        *,
        rejections: int,
        tries: int,
        age_seconds: float,
        retry_after: float | None,
        jitter: float,
    ) -> Step:
        """Return what follows a failure.

        `rejections` counts the earlier steps that cost an attempt, `tries` all attempts including the one
        that failed, `age_seconds` is the time since the first one. `jitter` lies between 0 and 1.
        """
        alarm = failure is Failure.CONFIGURATION
        costs_attempt = failure in {Failure.PERMANENT, Failure.REJECTED}
        if failure is Failure.PERMANENT:
            return Step(True, 0.0, costs_attempt, alarm, "The provider refuses this mail for good.")
        if failure is Failure.REJECTED and rejections + 1 >= self.attempts:
            reason = f"The provider rejected this mail {rejections + 1} times."
            return Step(True, 0.0, costs_attempt, alarm, reason)
        nth = rejections if failure is Failure.REJECTED else max(tries - 1, 0)
        wait = self._wait(failure, nth, retry_after, jitter)
        if self.expired(age_seconds + wait):
            reason = "The next attempt would lie beyond the horizon."
            return Step(True, 0.0, costs_attempt, alarm, reason)
        return Step(False, wait, costs_attempt, alarm)

    def _wait(self, failure: Failure, nth: int, retry_after: float | None, jitter: float) -> float:
        schedule = self.waits[failure]
        # Half of a wait is random, so that the mails of an outage are not all due at once.
        wait = schedule[min(nth, len(schedule) - 1)] * (1 + jitter) / 2
        if retry_after is not None:
            # The provider names the earliest time, and the same to many mails; zero would be a busy loop.
            named = max(retry_after, 1.0) * (1 + jitter / 10)
            wait = named if failure is Failure.THROTTLED else max(wait, named)
        return min(wait, self.longest_wait)
