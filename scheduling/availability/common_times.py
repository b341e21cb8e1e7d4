"""Find when several people are free."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter

from scheduling.availability.facts import Host
from scheduling.availability.hours import hours_between
from scheduling.availability.intervals import Interval, clip, merge, subtract
from scheduling.availability.rules import taken_by


@dataclass(frozen=True, slots=True)
class CommonTime:
    """A time in which people are free from its start to its end."""

    start: datetime
    end: datetime
    user_ids: list[int]


def find_common_times(
    people: Sequence[Host], *, duration: timedelta, start: datetime, end: datetime, quorum: int
) -> list[CommonTime]:
    """Return the times of at least a duration within [start, end) in which at least a quorum of people is free.

    Each time is as long as possible for its people, and lists everybody who is free throughout; times may overlap.
    """
    free = sorted(
        (begin, finish, person.user_id)
        for person in people
        for begin, finish in _free(person, start, end)
        if finish - begin >= duration
    )
    times: list[CommonTime] = []
    present: list[tuple[datetime, int]] = []
    for begin, beginning in groupby(free, key=itemgetter(0)):
        newcomers = [(finish, user_id) for _, finish, user_id in beginning]
        present = [(finish, user_id) for finish, user_id in present if finish - begin >= duration] + newcomers
        # Without a newcomer the same people were free before.
        latest = max(finish for finish, _ in newcomers)
        for end_of_time in sorted({finish for finish, _ in present if finish <= latest}):
            user_ids = sorted(user_id for finish, user_id in present if finish >= end_of_time)
            if len(user_ids) >= quorum:
                times.append(CommonTime(begin, end_of_time, user_ids))
    return times


def _free(person: Host, start: datetime, end: datetime) -> list[Interval]:
    hours = hours_between(person.schedule, start, end)
    taken = merge((claim.start, claim.end) for claim in taken_by(person))
    return clip(subtract(hours.open, taken), start, end)
