"""Write times as the reader's clock shows them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def moment(text: str) -> datetime:
    """Return an ISO 8601 time with an offset, in UTC.

    Raises ValueError for a time without an offset.
    """
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("A time needs an offset.")
    return time.astimezone(UTC)


def period(start: str, end: str, time_zone: str = "UTC") -> str:
    """Return two ISO 8601 times with offsets as one phrase in a time zone.

    Raises ValueError for a time without an offset or an unknown zone.
    """
    zone = _zone(time_zone)
    first, last = (moment(text).astimezone(zone) for text in (start, end))
    place = "UTC" if time_zone == "UTC" else f"({time_zone})"
    # When clocks change, two times may look alike, or the end seem to be before the start: the offsets differ.
    told = _exact if _is_odd(first) or _is_odd(last) or first.utcoffset() != last.utcoffset() else _plain
    if first.date() == last.date():
        dash = "–" if told is _plain else " – "  # noqa: RUF001 - an en dash spans times
        return f"{_day(first)}, {told(first)}{dash}{told(last)} {place}"
    return f"{_day(first)}, {told(first)} – {_day(last)}, {told(last)} {place}"  # noqa: RUF001


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (LookupError, OSError) as error:
        raise ValueError("There is no such time zone.") from error


def _is_odd(time: datetime) -> bool:
    """Tell whether a clock shows this time twice that day."""
    return time.replace(fold=0).utcoffset() != time.replace(fold=1).utcoffset()


def _plain(time: datetime) -> str:
    return f"{time:%H:%M}"


def _exact(time: datetime) -> str:
    return f"{time:%H:%M} UTC{time.isoformat()[-6:]}"


def _day(time: datetime) -> str:
    return f"{time:%A}, {time.day} {time:%B %Y}"
