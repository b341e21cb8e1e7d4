"""Every change of a clock from 2024 to 2037, found by asking each zone day by day what its clock shows."""

from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

from scheduling.availability.wall_clock import zone_names

FIRST, LAST = datetime(2024, 1, 1, tzinfo=UTC), datetime(2038, 1, 1, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
DAYS = [FIRST + number * DAY for number in range((LAST - FIRST).days + 1)]


@cache
def transitions():
    """Return (name of a zone, first instant of the new offset) for all of them."""
    return [(name, moment) for name in sorted(zone_names()) for moment in changes(ZoneInfo(name))]


def changes(zone):
    """Yield the instants at which a zone changes its offset."""
    earlier, offset = DAYS[0], DAYS[0].astimezone(zone).utcoffset()
    for later in DAYS[1:]:
        new_offset = later.astimezone(zone).utcoffset()
        if new_offset != offset:
            yield first_instant(zone, earlier, later)
        earlier, offset = later, new_offset


def first_instant(zone, earlier, later):
    """Halve the time between two instants of different offsets until the change is found, which is on a minute."""
    old = earlier.astimezone(zone).utcoffset()
    while later - earlier > MINUTE:
        middle = earlier + (later - earlier) // 2 // MINUTE * MINUTE
        if middle.astimezone(zone).utcoffset() == old:
            earlier = middle
        else:
            later = middle
    return later


class ShownTimes:
    """What a clock shows from minute to minute, to be read backwards: slow, and knows nothing of folds and gaps."""

    def __init__(self, zone, start, end, step=MINUTE):
        """Watch the clock from start to end."""
        self.shown = []
        self.first = {}
        moment = start
        while moment <= end:
            local = moment.astimezone(zone).replace(tzinfo=None)
            self.shown.append((moment, local))
            self.first.setdefault(local, moment)
            moment += step
        self.dates = {local.date() for _, local in self.shown}

    def instant(self, local):
        """Return when the clock first showed a time; if it never did, when it would have without the change."""
        if local in self.first:
            return self.first[local]
        before, shown = max(pair for pair in self.shown if pair[1] < local)
        return before + (local - shown)


# Hosts of one example mostly share a zone.
watch = lru_cache(maxsize=4)(ShownTimes)
