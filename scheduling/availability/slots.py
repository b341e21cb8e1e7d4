"""Find the starts that no rule refuses."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from scheduling.availability.facts import EventType, Host
from scheduling.availability.grid import anchors_of, starts_between
from scheduling.availability.hours import Hours, hours_between
from scheduling.availability.intervals import Interval, clip, merge, subtract
from scheduling.availability.rules import collisions, earliest_start, full_dates, latest_start


class Slot(NamedTuple):
    """A time that can be booked, and the hosts who are free."""

    start: datetime
    end: datetime
    user_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LocalSlot:
    """A slot as a guest sees it: without the hosts."""

    start: datetime
    end: datetime
    local_start: datetime


@dataclass(frozen=True, slots=True)
class LocalDay:
    """The slots that start on a date of the guest's zone."""

    date: date
    slots: list[LocalSlot]


def find_slots(
    event_type: EventType, hosts: Sequence[Host], *, now: datetime, start: datetime, end: datetime
) -> list[Slot]:
    """Return the slots that start within [start, end), earliest first."""
    hours = [hours_between(host.schedule, start, end + event_type.duration) for host in hosts]
    first = max(start, earliest_start(event_type, now))
    last = min(end, latest_start(event_type, now) + datetime.resolution)
    free: dict[datetime, list[int]] = {}
    for host, its_hours, anchors in zip(hosts, hours, anchors_of(event_type, hours), strict=True):
        for begin, stop in _allowed(event_type, host, its_hours, first, last):
            for slot in starts_between(anchors, event_type.step, begin, stop):
                free.setdefault(slot, []).append(host.user_id)
    needed = event_type.hosts_needed(len(hosts))
    duration = event_type.duration
    return [Slot(slot, slot + duration, tuple(free[slot])) for slot in sorted(free) if len(free[slot]) >= needed]


def nearest(slots: Sequence[Slot], start: datetime, count: int = 3) -> list[Slot]:
    """Return the slots nearest to a time, earliest first; of two at the same distance the earlier one is taken."""
    return sorted(sorted(slots, key=lambda slot: (abs(slot.start - start), slot.start))[:count])


def by_local_date(slots: Sequence[Slot], zone: ZoneInfo) -> list[LocalDay]:
    """Return the slots by the date on which they start in a zone."""
    days: dict[date, list[LocalSlot]] = {}
    for slot in slots:
        local_start = slot.start.astimezone(zone)
        days.setdefault(local_start.date(), []).append(LocalSlot(slot.start, slot.end, local_start))
    return [LocalDay(day, days[day]) for day in sorted(days)]


def _allowed(event_type: EventType, host: Host, hours: Hours, first: datetime, last: datetime) -> list[Interval]:
    """Return when a meeting may start, apart from the grid."""
    if not host.is_member:
        return []
    reach = event_type.duration - datetime.resolution
    fitting = merge((opens, closes - reach) for opens, closes in hours.open)
    refused = merge([*collisions(event_type, host), *full_dates(event_type, host).values()])
    return subtract(clip(fitting, first, last), refused)
