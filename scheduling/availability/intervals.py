"""Merge, subtract and clip half-open intervals in sorted lists."""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime
from typing import TypeAlias, TypeVar

Point = TypeVar("Point", int, datetime)
Interval: TypeAlias = tuple[datetime, datetime]


def merge(intervals: Iterable[tuple[Point, Point]]) -> list[tuple[Point, Point]]:
    """Return the same time in as few intervals as possible, sorted; intervals that overlap or touch become one."""
    merged: list[tuple[Point, Point]] = []
    for start, end in sorted(intervals):
        if start >= end:
            continue
        if merged and start <= merged[-1][1]:
            if end > merged[-1][1]:
                merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return merged


def subtract(intervals: list[Interval], holes: list[Interval]) -> list[Interval]:
    """Return the intervals without the holes; both lists are merged."""
    left: list[Interval] = []
    first = 0
    for start, end in intervals:
        while first < len(holes) and holes[first][1] <= start:
            first += 1
        begin, index = start, first
        while index < len(holes) and holes[index][0] < end:
            if begin < holes[index][0]:
                left.append((begin, holes[index][0]))
            begin = holes[index][1]
            index += 1
        if begin < end:
            left.append((begin, end))
    return left


def clip(intervals: list[Interval], start: datetime, end: datetime) -> list[Interval]:
    """Return the parts of the intervals within [start, end)."""
    return merge((max(begin, start), min(finish, end)) for begin, finish in intervals)


def covers(intervals: list[Interval], start: datetime, end: datetime) -> bool:
    """Tell whether one of the merged intervals contains [start, end)."""
    index = bisect_right(intervals, start, key=_start) - 1
    return index >= 0 and end <= intervals[index][1]


def _start(interval: Interval) -> datetime:
    return interval[0]
