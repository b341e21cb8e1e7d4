"""Convert the local hours of a schedule to UTC."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from scheduling.availability.facts import DAYS, Schedule
from scheduling.availability.intervals import Interval, merge
from scheduling.availability.wall_clock import DAY, is_skipped, to_utc


@dataclass(frozen=True, slots=True)
class Hours:
    """The hours of somebody in UTC, and the times at which hours of a date begin: there the grid begins again."""

    open: list[Interval]
    anchors: list[datetime]


def hours_between(schedule: Schedule, start: datetime, end: datetime) -> Hours:
    """Return the hours that matter for meetings within [start, end)."""
    zone = schedule.time_zone
    # A change to or from summer time can move hours across midnight.
    first, last = start.astimezone(zone).date() - DAY, end.astimezone(zone).date() + DAY
    pieces = sorted(_pieces(schedule, first, last))
    return Hours(merge(pieces), [begin for begin, _ in pieces])


def _pieces(schedule: Schedule, first: date, last: date) -> Iterator[Interval]:
    zone = schedule.time_zone
    week = [merge((rule.start, rule.end) for rule in schedule.rules if name in rule.days) for name in DAYS]
    for offset in range((last - first).days + 1):
        day = first + offset * DAY
        override = schedule.overrides.get(day)
        minutes = week[day.weekday()] if override is None else merge(override)
        if not minutes or is_skipped(day, zone):
            continue
        for opens, closes in minutes:
            begin, finish = to_utc(day, opens, zone), to_utc(day, closes, zone)
            # Hours inside the hour that summer time skips have no length.
            if begin < finish:
                yield begin, finish
