"""Arithmetic with intervals, against sets of whole numbers."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from scheduling.availability.intervals import clip, covers, merge, subtract

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def moment(number):
    return EPOCH + timedelta(minutes=number)


points = st.integers(0, 30).map(moment)
some_intervals = st.lists(st.tuples(points, points), max_size=8)


def members(intervals):
    """Return the minutes that lie in intervals."""
    return {number for number in range(31) for start, end in intervals if start <= moment(number) < end}


def are_apart(intervals):
    """Tell whether intervals are sorted, not empty, and neither overlap nor touch."""
    return all(start < end for start, end in intervals) and all(one[1] < other[0] for one, other in pairwise(intervals))


@given(some_intervals)
def test_merged_intervals_are_the_same_time_and_apart(intervals):
    assert members(merge(intervals)) == members(intervals)
    assert are_apart(merge(intervals))


@given(some_intervals.map(merge), some_intervals.map(merge))
def test_what_is_subtracted_is_gone_and_nothing_else(intervals, holes):
    assert members(subtract(intervals, holes)) == members(intervals) - members(holes)
    assert are_apart(subtract(intervals, holes))


@given(some_intervals.map(merge), points, points)
def test_clipped_intervals_lie_within_bounds(intervals, start, end):
    assert members(clip(intervals, start, end)) == members(intervals) & members([(start, end)])


@given(some_intervals.map(merge), points, st.integers(1, 10))
def test_time_is_covered_when_all_of_it_lies_within(intervals, start, length):
    end = start + timedelta(minutes=length)
    inside = {moment(number) for number in members(intervals)}
    asked = {start + timedelta(minutes=number) for number in range(length)}
    assert covers(intervals, start, end) == (asked <= inside)
