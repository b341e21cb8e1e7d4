"""Compute the grid of starts: it begins with the hours of a date and advances by elapsed minutes."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain

from scheduling.availability.facts import EventType
from scheduling.availability.hours import Hours


def anchors_of(event_type: EventType, hours: Sequence[Hours]) -> list[list[datetime]]:
    """Return for each host the times at which the grid begins again; hosts who all attend share one grid."""
    if event_type.assignment == "all":
        shared = sorted(set(chain.from_iterable(each.anchors for each in hours)))
        return [shared] * len(hours)
    return [each.anchors for each in hours]


def starts_between(anchors: list[datetime], step: timedelta, begin: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the starts on the grid in [begin, end), which must lie within hours."""
    index = bisect_right(anchors, begin) - 1
    while begin < end:
        stop = min(anchors[index + 1], end) if index + 1 < len(anchors) else end
        start = anchors[index] - (anchors[index] - begin) // step * step
        while start < stop:
            yield start
            start += step
        begin, index = stop, index + 1


def is_on_grid(anchors: list[datetime], step: timedelta, start: datetime) -> bool:
    """Tell whether a time within hours is on the grid."""
    return not (start - anchor_before(anchors, start)) % step


def anchor_before(anchors: list[datetime], start: datetime) -> datetime:
    """Return the last time before a start at which the grid began."""
    return anchors[bisect_right(anchors, start) - 1]
