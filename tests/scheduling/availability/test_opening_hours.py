"""Hours of a schedule, at ordinary times and when clocks change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from scheduling.availability.facts import ALWAYS
from scheduling.availability.hours import hours_between
from tests.scheduling.availability.calendar_of_2026 import BERLIN, at, hours

DAY = timedelta(days=1)


def opened(schedule, start, end):
    """Return what is open on the dates of [start, end], on the clock of the zone."""
    return [
        f"{begin.astimezone(schedule.time_zone):%d %H:%M}-{finish.astimezone(schedule.time_zone):%d %H:%M}"
        for begin, finish in hours_between(schedule, start + DAY, end - DAY).open
    ]


def test_rules_that_overlap_or_touch_are_one():
    schedule = hours((9, 12), (12, 13), (12.5, 15), (16, 17), days=["TU"])
    assert opened(schedule, at(9, 12), at(11, 12)) == ["10 09:00-10 15:00", "10 16:00-10 17:00"]


def test_dates_replace_weekly_hours():
    schedule = hours((9, 17), overrides={date(2026, 3, 10): [(600, 660)], date(2026, 3, 11): []})
    assert opened(schedule, at(9, 12), at(12, 12)) == ["09 09:00-09 17:00", "10 10:00-10 11:00", "12 09:00-12 17:00"]


def test_hours_of_a_date_that_overlap_are_one():
    its_hours = hours_between(hours(overrides={date(2026, 3, 10): [(660, 780), (600, 720)]}), at(9, 12), at(11, 12))
    assert its_hours.open == [(at(10, 9), at(10, 12))]
    assert its_hours.anchors == [at(10, 9)]


def test_hours_until_midnight_and_from_midnight_are_one():
    schedule = hours((22, 24), (0, 2), days=["MO", "TU"])
    assert opened(schedule, at(8, 12), at(11, 12)) == ["09 00:00-09 02:00", "09 22:00-10 02:00", "10 22:00-11 00:00"]


def test_days_when_clocks_change_are_shorter_and_longer():
    spring, autumn = date(2026, 3, 29), date(2026, 10, 25)
    schedule = hours(overrides={spring: [(0, 1440)], autumn: [(0, 1440)]})
    lengths = [
        end - start
        for month in (3, 10)
        for start, end in hours_between(schedule, at(20, 0, month=month), at(30, 0, month=month)).open
    ]
    assert lengths == [timedelta(hours=23), timedelta(hours=25)]


def test_hours_in_a_gap_are_read_with_the_offset_before_it():
    for opens, closes, expected in [
        (2, 2.5, ["29 03:00-29 03:30"]),
        (1, 2.5, ["29 01:00-29 03:30"]),
        (2.5, 4, ["29 03:30-29 04:00"]),
        (2.75, 3.25, []),
    ]:
        schedule = hours((opens, closes), days=["SU"])
        assert opened(schedule, at(28, 12), at(30, 12)) == expected


def test_hours_that_the_gap_leaves_without_length_do_not_begin_the_grid_anew():
    schedule = hours((1, 2.5), (2.75, 3.25), (4, 6), days=["SU"])
    assert hours_between(schedule, at(28, 12), at(30, 12)).anchors == [at(29, 0), at(29, 2)]


def test_hours_in_a_fold_mean_the_first_time():
    first, second = at(25, 0, month=10), at(25, 1, month=10)
    for opens, closes, begin, end in [
        (2, 2.5, first, first + timedelta(minutes=30)),
        (1, 2, first - timedelta(hours=1), first),
        (2, 3, first, second + timedelta(hours=1)),
        (2.5, 4, first + timedelta(minutes=30), second + timedelta(hours=2)),
    ]:
        schedule = hours((opens, closes), days=["SU"])
        assert hours_between(schedule, first - DAY, first + DAY).open == [(begin, end)]


def test_date_that_a_zone_leaves_out_has_no_hours():
    schedule = hours((9, 17), zone=ZoneInfo("Pacific/Apia"), days=["FR"])
    start = datetime(2011, 12, 28, tzinfo=UTC)
    assert hours_between(schedule, start, start + 5 * DAY).open == []


def test_grid_begins_anew_where_wall_clock_hours_begin():
    schedule = hours((1, 2), (3, 5), days=["SU"])
    its_hours = hours_between(schedule, at(28, 12), at(30, 12))
    assert its_hours.open == [(at(29, 0), at(29, 3))]
    assert its_hours.anchors == [at(29, 0), at(29, 1)]


def test_nobody_without_rules_is_open_and_somebody_without_a_schedule_always_is():
    assert hours_between(hours(zone=BERLIN), at(1, 0), at(30, 0)).open == []
    assert len(hours_between(ALWAYS, at(1, 0), at(30, 0)).open) == 1
