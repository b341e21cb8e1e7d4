"""Event types, hosts and times that hypothesis invents, mostly around changes of a clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from scheduling.availability.facts import DAYS, Busy, EventType, Hold, Host, Schedule, WeeklyHours
from tests.scheduling.availability.transitions import DAY, MINUTE, transitions

# Samoa went from the 29th to the 31st of December at this instant.
SKIPPED_DATE = ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC))


@st.composite
def moments(draw):
    """Invent a zone and a time at which, most often, its clock changes."""
    name, moment = draw(st.one_of(st.sampled_from(transitions()), st.just(SKIPPED_DATE)))
    return ZoneInfo(name), moment + draw(st.sampled_from([0, 0, 0, 45])) * DAY


@st.composite
def intervals(draw):
    """Invent hours of a day, from minute to minute."""
    quarters = st.integers(0, 95).map(lambda number: number * 15)
    start = draw(st.one_of(st.just(0), quarters, st.integers(0, 1439)))
    length = draw(st.one_of(quarters.map(lambda minutes: minutes + 15), st.integers(1, 1440)))
    end = draw(st.sampled_from([1440, min(start + length, 1440), min(start + length, 1440)]))
    return start, end


@st.composite
def schedules(draw, zone, moment):
    """Invent weekly hours, and hours of dates around a time."""
    days = st.one_of(st.just(DAYS), st.sets(st.sampled_from(DAYS), min_size=1).map(sorted))
    rules = st.builds(lambda days, hours: WeeklyHours(days, *hours), days, intervals())
    local = moment.astimezone(zone).date()
    dates = st.integers(-2, 2).map(lambda number: local + number * DAY)
    overrides = st.dictionaries(dates, st.lists(intervals(), max_size=2), max_size=2)
    return Schedule(zone, draw(st.lists(rules, min_size=1, max_size=3)), draw(overrides))


def near(moment):
    """Invent whole minutes within a day and a half of a time."""
    return st.integers(-2160, 2160).map(lambda number: moment + number * MINUTE)


@st.composite
def hosts(draw, user_id, zone, moment):
    """Invent a person with bookings and holds, who is mostly a member."""
    length, buffer = st.integers(1, 180), st.sampled_from([0, 0, 5, 30])
    busy, holds = [], []
    for number in range(draw(st.integers(0, 4))):
        own_start = draw(near(moment))
        own_end = own_start + draw(length) * MINUTE
        start, end = own_start - draw(buffer) * MINUTE, own_end + draw(buffer) * MINUTE
        busy.append(Busy(start, end, own_start, own_end, number))
    for _ in range(draw(st.integers(0, 2))):
        start = draw(near(moment))
        holds.append(Hold(start, start + draw(length) * MINUTE, moment))
    return Host(
        user_id,
        draw(schedules(zone, moment)),
        busy,
        holds,
        booked_starts=draw(st.lists(near(moment), max_size=3)),
        is_member=draw(st.sampled_from([True] * 7 + [False])),
    )


@st.composite
def worlds(draw, assignments=("one", "any", "all")):
    """Invent a question: an event type, its hosts, now, and the time that is asked about."""
    zone, moment = draw(moments())
    event_type = EventType(
        duration_minutes=draw(st.sampled_from([5, 15, 30, 30, 50, 60, 60, 240, 1500])),
        slot_minutes=draw(st.sampled_from([5, 15, 25, 30, 60, 480])),
        buffer_before_minutes=draw(st.sampled_from([0, 0, 10])),
        buffer_after_minutes=draw(st.sampled_from([0, 0, 15])),
        notice_minutes=draw(st.sampled_from([0, 0, 0, 120, 1440])),
        horizon_days=draw(st.sampled_from([1, 60, 60, 60])),
        daily_limit=draw(st.sampled_from([None, None, None, 1, 2])),
        assignment=draw(st.sampled_from(assignments)),
    )
    count = 1 if event_type.assignment == "one" else draw(st.integers(1, 3))
    zones = [zone, *(draw(st.sampled_from([zone, draw(moments())[0]])) for _ in range(count - 1))]
    people = [draw(hosts(number, each, moment)) for number, each in enumerate(zones, start=1)]
    now = draw(near(moment - draw(st.sampled_from([1, 3, 3])) * DAY)) + timedelta(
        seconds=draw(st.sampled_from([0, 0, 30]))
    )
    start = draw(near(moment - timedelta(hours=12)))
    return event_type, people, now, start, start + draw(st.integers(1, 30)) * timedelta(hours=1)
