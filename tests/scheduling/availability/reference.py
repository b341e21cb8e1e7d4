"""A second engine that counts minutes: far too slow, and too simple to be wrong."""

from datetime import datetime, timedelta

from scheduling.availability.facts import DAYS
from tests.scheduling.availability.transitions import DAY, MINUTE, watch


def minutes(start, end):
    """Return the minutes of [start, end) as numbers."""
    return range(int(start.timestamp()) // 60, int(end.timestamp()) // 60)


def common(numbers, start, end):
    """Tell whether a minute is also one of [start, end)."""
    return any(number in numbers for number in minutes(start, end))


class Diary:
    """What a host's schedule and claims mean, minute by minute, in [start, end) and some days around it."""

    def __init__(self, host, start, end):
        """Read the schedule with a clock that is watched."""
        self.host = host
        self.clock = watch(host.schedule.time_zone, start - 2 * DAY, end + 3 * DAY)
        self.open, self.anchors = self.read(host.schedule.overrides)
        self.weekly, _ = self.read({})

    def read(self, overrides):
        """Return the open minutes, and the instants at which hours begin."""
        opened, anchors = set(), []
        for day in sorted(self.clock.dates)[1:-1]:
            for opens, closes in self.runs(day, overrides):
                midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001
                begin, end = (self.clock.instant(midnight + minute * MINUTE) for minute in (opens, closes))
                opened.update(minutes(begin, end))
                anchors += [begin] if begin < end else []
        return opened, anchors

    def runs(self, day, overrides):
        """Yield the longest runs of open minutes on the wall clock."""
        weekly = [(rule.start, rule.end) for rule in self.host.schedule.rules if DAYS[day.weekday()] in rule.days]
        shown = {minute for opens, closes in overrides.get(day, weekly) for minute in range(opens, closes)}
        for opens in sorted(shown):
            if opens - 1 not in shown:
                yield opens, next(minute for minute in range(opens, 1441) if minute not in shown)

    def date_of(self, moment):
        """Return the local date of an instant."""
        return moment.astimezone(self.host.schedule.time_zone).date()


def failed_rules(event_type, diaries, diary, now, start):
    """Yield the codes of the rules that refuse a start, the cheap ones first."""
    end = start + event_type.duration
    meeting = minutes(start, end)
    sharing = diaries if event_type.assignment == "all" else [diary]
    anchor = max((anchor for each in sharing for anchor in each.anchors if anchor <= start), default=start)
    if (start - anchor) % event_type.step and meeting[0] in diary.open:
        yield "grid"
    if start - now < event_type.notice:
        yield "notice"
    if start - now > timedelta(days=event_type.horizon_days):
        yield "horizon"
    if not diary.host.is_member:
        yield "not_member"
    if not diary.open.issuperset(meeting):
        yield "override" if diary.weekly.issuperset(meeting) else "outside_hours"
    same_date = [moment for moment in diary.host.booked_starts if diary.date_of(moment) == diary.date_of(start)]
    if event_type.daily_limit is not None and len(same_date) >= event_type.daily_limit:
        yield "daily_limit"
    claim = minutes(start - event_type.buffer_before, end + event_type.buffer_after)
    if any(common(claim, each.start, each.end) for each in diary.host.holds):
        yield "held"
    for each in diary.host.busy:
        if common(claim, each.start, each.end):
            yield "busy" if common(meeting, each.own_start, each.own_end) else "buffer"


def reference_slots(event_type, hosts, now, start, end):
    """Return (start, ids of the free hosts) for every minute in [start, end) that can be booked."""
    diaries = [Diary(host, start, end) for host in hosts]
    opened = set().union(*(diary.open for diary in diaries))
    for number in range((end - start) // MINUTE):
        moment = start + number * MINUTE
        if minutes(moment, moment + MINUTE)[0] in opened:
            free = [
                each.host.user_id for each in diaries if not any(failed_rules(event_type, diaries, each, now, moment))
            ]
            if len(free) >= (1 if event_type.assignment == "any" else len(hosts)):
                yield moment, free
