"""Names for the hosts and times of the examples, all in 2026."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from scheduling.availability.facts import DAYS, Busy, EventType, Hold, Host, Schedule, WeeklyHours
from scheduling.availability.slots import find_slots

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 1, tzinfo=UTC)
HALF_HOUR = EventType(duration_minutes=30, slot_minutes=30)


def at(day, hour, minute=0, month=3):
    """Return an instant of March, or of another month."""
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def hours(*intervals, zone=BERLIN, days=DAYS, overrides=None):
    """Return a schedule of hours, given as pairs of hours."""
    rules = tuple(WeeklyHours(days, int(start * 60), int(end * 60)) for start, end in intervals)
    return Schedule(zone, rules, overrides or {})


def booking(start, minutes=30, *, buffer=0, number=1):
    """Return a booking with a buffer on both sides."""
    end, margin = start + timedelta(minutes=minutes), timedelta(minutes=buffer)
    return Busy(start - margin, end + margin, start, end, number)


def hold(start, minutes=30, *, until=NOW):
    """Return a hold."""
    return Hold(start, start + timedelta(minutes=minutes), until)


def starts(host, start, end, event_type=HALF_HOUR, now=NOW):
    """Return when slots of one host start, as the host's clock shows it."""
    slots = find_slots(event_type, [host], now=now, start=start, end=end)
    return [f"{slot.start.astimezone(host.schedule.time_zone):%H:%M}" for slot in slots]


def person(user_id=1, schedule=None, **facts):
    """Return a host, open from 9 to 11 in Berlin unless told otherwise."""
    return Host(user_id, schedule or hours((9, 11)), **facts)
