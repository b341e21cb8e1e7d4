"""Choose a free host: the fewest upcoming bookings, then the longest without one, then the lowest id."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from scheduling.availability.facts import Host

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A host who was free and not chosen, and why."""

    user_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen host, and the other free ones."""

    user_id: int
    passed_over: list[PassedOver]


def choose(free: Sequence[Host]) -> Choice:
    """Return the choice among at least one free host."""
    chosen, *others = sorted(free, key=lambda host: (host.upcoming, host.last_booked_at or _NEVER, host.user_id))
    return Choice(chosen.user_id, [PassedOver(host.user_id, _reason(host, chosen)) for host in others])


def _reason(host: Host, chosen: Host) -> str:
    if host.upcoming != chosen.upcoming:
        return f"Has more upcoming bookings of this type: {host.upcoming}, the chosen host {chosen.upcoming}."
    if host.last_booked_at != chosen.last_booked_at:
        return "Has as many upcoming bookings of this type, and was booked more recently."
    return "Has as many upcoming bookings of this type, was idle as long, and has the higher user id."
