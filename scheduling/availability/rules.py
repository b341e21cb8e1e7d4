"""Define which starts each rule refuses, for slots and explanations alike."""

from collections import Counter
from datetime import date, datetime
from enum import StrEnum

from scheduling.availability.facts import Busy, EventType, Hold, Host
from scheduling.availability.intervals import Interval
from scheduling.availability.wall_clock import DAY, midnight


class Rule(StrEnum):
    """The rules, in the order of explanations."""

    OUTSIDE_HOURS = "outside_hours"
    OVERRIDE = "override"
    GRID = "grid"
    NOTICE = "notice"
    HORIZON = "horizon"
    DAILY_LIMIT = "daily_limit"
    BUFFER = "buffer"
    BUSY = "busy"
    HELD = "held"
    NOT_MEMBER = "not_member"


def earliest_start(event_type: EventType, now: datetime) -> datetime:
    """Return the first start that the notice allows."""
    return now + event_type.notice


def latest_start(event_type: EventType, now: datetime) -> datetime:
    """Return the last start that the horizon allows."""
    return now + event_type.horizon


def taken_by(host: Host) -> list[Busy | Hold]:
    """Return the claims on a host's time."""
    return [*host.busy, *host.holds]


def collisions(event_type: EventType, host: Host) -> list[Interval]:
    """Return for each claim the starts of meetings whose claim would overlap it; touching is allowed."""
    reach = event_type.duration + event_type.buffer_after - datetime.resolution
    buffer_before = event_type.buffer_before
    return [(claim.start - reach, claim.end + buffer_before) for claim in taken_by(host)]


def full_dates(event_type: EventType, host: Host) -> dict[date, Interval]:
    """Return the dates on which the daily limit is reached, from midnight to midnight of the host's zone."""
    if event_type.daily_limit is None:
        return {}
    zone = host.schedule.time_zone
    counts = Counter(start.astimezone(zone).date() for start in host.booked_starts)
    full = sorted(day for day, count in counts.items() if count >= event_type.daily_limit)
    return {day: (midnight(day, zone), midnight(day + DAY, zone)) for day in full}
