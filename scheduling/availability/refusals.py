"""Say in a sentence why a rule refuses a start; titles of bookings are never told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from scheduling.availability.facts import Busy, EventType, Hold, Host
from scheduling.availability.grid import anchor_before, is_on_grid
from scheduling.availability.hours import Hours, hours_between
from scheduling.availability.intervals import covers
from scheduling.availability.rules import Rule, collisions, earliest_start, full_dates, latest_start, taken_by


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a rule refuses, and when the refusal ends by itself, or None."""

    detail: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A start that is checked for one host."""

    event_type: EventType
    host: Host
    hours: Hours
    anchors: list[datetime]
    now: datetime
    start: datetime
    in_the_way: list[Busy | Hold]

    @property
    def end(self) -> datetime:
        """Return when the meeting ends."""
        return self.start + self.event_type.duration

    @property
    def period(self) -> str:
        """Return the time of the meeting in words."""
        return f"{self.local(self.start)} to {self.local(self.end)}"

    def local(self, moment: datetime) -> str:
        """Return a time in the host's zone."""
        return moment.astimezone(self.host.schedule.time_zone).isoformat(" ", "seconds")

    def fits(self, hours: Hours) -> bool:
        """Tell whether the meeting lies within hours."""
        return covers(hours.open, self.start, self.end)

    def fits_weekly_hours(self) -> bool:
        """Tell whether the meeting lies within the weekly hours, dates with other hours ignored."""
        weekly = replace(self.host.schedule, overrides={})
        return self.fits(hours_between(weekly, self.start, self.end))

    def bookings_in_the_way(self, *, overlapping: bool) -> list[int]:
        """Return the numbers of bookings in the way: those that overlap the meeting itself, or only its buffers."""
        return sorted(
            claim.number
            for claim in self.in_the_way
            if isinstance(claim, Busy) and overlapping == (claim.own_start < self.end and self.start < claim.own_end)
        )


def make_case(
    event_type: EventType, host: Host, hours: Hours, anchors: list[datetime], *, now: datetime, start: datetime
) -> Case:
    """Return the case of a host, with the claims in the way."""
    starts = zip(taken_by(host), collisions(event_type, host), strict=True)
    in_the_way = [claim for claim, (first, last) in starts if first <= start < last]
    return Case(event_type, host, hours, anchors, now, start, in_the_way)


def _outside_hours(case: Case) -> Refusal | None:
    if case.fits(case.hours) or case.fits_weekly_hours():
        return None
    return Refusal(f"The host's hours do not cover {case.period}.")


def _override(case: Case) -> Refusal | None:
    if case.fits(case.hours) or not case.fits_weekly_hours():
        return None
    return Refusal(f"The hours of the date itself do not cover {case.period}.")


def _grid(case: Case) -> Refusal | None:
    is_open = covers(case.hours.open, case.start, case.start + datetime.resolution)
    if not is_open or is_on_grid(case.anchors, case.event_type.step, case.start):
        return None
    anchor = case.local(anchor_before(case.anchors, case.start))
    minutes = case.event_type.slot_minutes
    return Refusal(f"Meetings start every {minutes} minutes from {anchor}, not at {case.local(case.start)}.")


def _notice(case: Case) -> Refusal | None:
    earliest = earliest_start(case.event_type, case.now)
    if case.start >= earliest:
        return None
    return Refusal(f"The notice is too short: {case.local(earliest)} is the earliest start.")


def _horizon(case: Case) -> Refusal | None:
    latest = latest_start(case.event_type, case.now)
    if case.start <= latest:
        return None
    return Refusal(f"Too far ahead: {case.local(latest)} is the latest start.", case.start - case.event_type.horizon)


def _daily_limit(case: Case) -> Refusal | None:
    for day, (begin, end) in full_dates(case.event_type, case.host).items():
        if begin <= case.start < end:
            return Refusal(f"The daily limit of {case.event_type.daily_limit} is reached on {day}.")
    return None


def _buffer(case: Case) -> Refusal | None:
    close = case.bookings_in_the_way(overlapping=False)
    return Refusal(f"Within a buffer of {_named(close)}.") if close else None


def _busy(case: Case) -> Refusal | None:
    busy = case.bookings_in_the_way(overlapping=True)
    return Refusal(f"Busy with {_named(busy)}.") if busy else None


def _held(case: Case) -> Refusal | None:
    until = max((claim.until for claim in case.in_the_way if isinstance(claim, Hold)), default=None)
    return Refusal(f"Held until {case.local(until)}.", until) if until else None


def _not_member(case: Case) -> Refusal | None:
    return None if case.host.is_member else Refusal("The host left the team.")


def _named(numbers: list[int]) -> str:
    return " and ".join(f"booking {number}" for number in numbers)


REFUSALS: Mapping[Rule, Callable[[Case], Refusal | None]] = {
    Rule.OUTSIDE_HOURS: _outside_hours,
    Rule.OVERRIDE: _override,
    Rule.GRID: _grid,
    Rule.NOTICE: _notice,
    Rule.HORIZON: _horizon,
    Rule.DAILY_LIMIT: _daily_limit,
    Rule.BUFFER: _buffer,
    Rule.BUSY: _busy,
    Rule.HELD: _held,
    Rule.NOT_MEMBER: _not_member,
}
