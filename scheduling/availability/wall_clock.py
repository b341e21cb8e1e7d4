"""Convert local times to UTC (RFC 5545, section 3.3.5)."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import cast
from zoneinfo import ZoneInfo, available_timezones

DAY = timedelta(days=1)


@cache
def zone_names() -> frozenset[str]:
    """Return the names of the IANA zones on this machine."""
    # Not zones: one is a placeholder, the other is the zone that this machine is set to.
    return frozenset(available_timezones() - {"Factory", "localtime"})


def find_zone(name: str) -> ZoneInfo:
    """Return the IANA zone of a name; raise ValueError for any other text."""
    # ZoneInfo opens a file of this name, and raises various errors for folders, paths and NUL.
    if name not in zone_names():
        raise ValueError("Must be the name of an IANA time zone, such as Europe/Berlin.")
    return ZoneInfo(name)


def to_utc(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    """Return the UTC time of a local minute: in a gap by the offset before it, of a repeated one the first."""
    local = datetime.combine(day, time.min, UTC) + timedelta(0, minutes * 60)
    # utcoffset() reads the local digits and ignores the label UTC; fold 0 is the rule of the docstring.
    return local - cast("timedelta", zone.utcoffset(local))


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return when a local date begins."""
    return to_utc(day, 0, zone)


def is_skipped(day: date, zone: ZoneInfo) -> bool:
    """Tell whether a zone has no such date, as Pacific/Apia had no 30 December 2011."""
    return midnight(day, zone) == midnight(day + DAY, zone)
