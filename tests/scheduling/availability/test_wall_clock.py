"""Local times: every zone, every change of a clock from 2024 to 2037."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from scheduling.availability.facts import DAYS, Schedule, WeeklyHours
from scheduling.availability.hours import hours_between
from scheduling.availability.wall_clock import find_zone, is_skipped, midnight, to_utc, zone_names
from tests.scheduling.availability.transitions import ShownTimes, transitions

STEP = timedelta(minutes=5)


def minutes_of(local):
    return local.hour * 60 + local.minute


def test_every_local_time_around_every_change_is_read_as_the_clock_shows_it():
    zones = {name for name, _ in transitions()}
    around, gaps = timedelta(hours=4), 0
    for name, moment in transitions():
        zone = ZoneInfo(name)
        clock = ShownTimes(zone, moment - 2 * around, moment + 2 * around, STEP)
        gaps += moment.astimezone(zone).utcoffset() > (moment - STEP).astimezone(zone).utcoffset()
        local = moment.astimezone(zone).replace(tzinfo=None) - around
        for _ in range(2 * around // STEP):
            assert to_utc(local.date(), minutes_of(local), zone) == clock.instant(local), (name, local)
            local += STEP
    folds = len(transitions()) - gaps
    print(f"{len(zone_names())} zones, {len(zones)} with changes: {gaps} gaps, {folds} folds")  # noqa: T201
    assert len(zone_names()) > 400
    assert len(zones) > 150
    assert min(gaps, folds) > 2000


def test_somebody_who_is_always_open_is_open_through_every_change():
    for name, moment in transitions():
        always = Schedule(ZoneInfo(name), (WeeklyHours(DAYS, 0, 1440),))
        hours = hours_between(always, moment - timedelta(days=1), moment + timedelta(days=1))
        assert len(hours.open) == 1, (name, moment)


@pytest.mark.parametrize(
    ("day", "local", "instant"),
    [
        (date(2026, 3, 29), time(1, 59), "2026-03-29T00:59+00:00"),
        (date(2026, 3, 29), time(2, 0), "2026-03-29T01:00+00:00"),
        (date(2026, 3, 29), time(2, 30), "2026-03-29T01:30+00:00"),
        (date(2026, 3, 29), time(3, 0), "2026-03-29T01:00+00:00"),
        (date(2026, 10, 25), time(1, 59), "2026-10-24T23:59+00:00"),
        (date(2026, 10, 25), time(2, 0), "2026-10-25T00:00+00:00"),
        (date(2026, 10, 25), time(2, 59), "2026-10-25T00:59+00:00"),
        (date(2026, 10, 25), time(3, 0), "2026-10-25T02:00+00:00"),
    ],
)
def test_gap_is_read_with_the_offset_before_it_and_fold_as_the_first(day, local, instant):
    assert to_utc(day, minutes_of(local), ZoneInfo("Europe/Berlin")) == datetime.fromisoformat(instant)


def test_end_of_a_day_is_the_beginning_of_the_next():
    zone = ZoneInfo("Asia/Beirut")
    day = date(2026, 3, 28)
    assert to_utc(day, 1440, zone) == midnight(date(2026, 3, 29), zone) == datetime(2026, 3, 28, 22, tzinfo=UTC)


def test_date_that_a_zone_leaves_out_is_known():
    zone = ZoneInfo("Pacific/Apia")
    assert to_utc(date(2011, 12, 30), 9 * 60, zone) == datetime(2011, 12, 30, 19, tzinfo=UTC)
    assert [day for day in range(28, 32) if is_skipped(date(2011, 12, day), zone)] == [30]


def test_zone_is_found_by_its_name():
    assert find_zone("America/Argentina/Buenos_Aires").key == "America/Argentina/Buenos_Aires"


NO_ZONES = [
    "",
    "Europe",
    "Europe/",
    "/etc/passwd",
    "../Europe/Berlin",
    "right/UTC",
    "localtime",
    "Factory",
    "a\0",
    "\ud800",
]


@pytest.mark.parametrize("name", NO_ZONES)
def test_what_is_no_zone_is_refused(name):
    with pytest.raises(ValueError, match="IANA"):
        find_zone(name)
