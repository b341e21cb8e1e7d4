"""Slots by example: both sides of every bound."""

from dataclasses import fields
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from scheduling.availability.facts import EventType
from scheduling.availability.slots import by_local_date, find_slots, nearest
from tests.scheduling.availability.calendar_of_2026 import (
    BERLIN,
    HALF_HOUR,
    NOW,
    at,
    booking,
    hold,
    hours,
    person,
    starts,
)

BUFFERED = EventType(30, 30, buffer_before_minutes=10, buffer_after_minutes=20)


def test_slots_fill_the_hours_and_end_with_them():
    assert starts(person(), at(10, 0), at(11, 0)) == ["09:00", "09:30", "10:00", "10:30"]
    assert starts(person(), at(10, 0), at(11, 0), EventType(45, 30)) == ["09:00", "09:30", "10:00"]


def test_window_includes_its_start_and_not_its_end():
    assert starts(person(), at(10, 8), at(10, 9, 30)) == ["09:00", "09:30", "10:00"]
    assert starts(person(), at(10, 8) + timedelta(microseconds=1), at(10, 9)) == ["09:30"]


def test_meeting_may_last_days_beyond_the_window():
    assert starts(person(1, hours((0, 24))), at(10, 8), at(10, 9), EventType(72 * 60, 60)) == ["09:00"]


def test_meetings_may_touch_but_not_overlap():
    busy = person(busy=[booking(at(10, 8, 30))])
    assert starts(busy, at(10, 0), at(11, 0)) == ["09:00", "10:00", "10:30"]
    later = person(busy=[booking(at(10, 8, 30) - timedelta(microseconds=1))])
    assert starts(later, at(10, 0), at(11, 0)) == ["10:00", "10:30"]


def test_buffers_of_both_sides_are_kept_free():
    assert starts(person(busy=[booking(at(10, 9))]), at(10, 0), at(11, 0), BUFFERED) == ["09:00"]
    assert starts(person(busy=[booking(at(10, 8, 30), buffer=30)]), at(10, 0), at(11, 0)) == ["10:30"]
    assert starts(person(busy=[booking(at(10, 8, 30), buffer=31)]), at(10, 0), at(11, 0)) == []


def test_buffers_may_lie_outside_the_hours():
    assert starts(person(), at(10, 0), at(11, 0), BUFFERED) == ["09:00", "09:30", "10:00", "10:30"]


def test_holds_take_time_as_bookings_do():
    assert starts(person(holds=[hold(at(10, 8))]), at(10, 0), at(11, 0)) == ["09:30", "10:00", "10:30"]


def test_notice_and_horizon_include_their_bounds():
    bounded = EventType(30, 30, notice_minutes=60, horizon_days=1)
    assert starts(person(), at(10, 0), at(12, 0), bounded, at(10, 7, 30)) == ["09:30", "10:00", "10:30"]
    assert starts(person(), at(11, 0), at(12, 0), bounded, at(10, 8, 30)) == ["09:00", "09:30"]


def test_daily_limit_counts_dates_of_the_schedule():
    limited = EventType(30, 30, daily_limit=2)
    evening, morning = at(10, 22, 59), at(10, 23)
    for booked, expected in [([evening, morning], 4), ([morning, morning], 0), ([evening, evening], 4)]:
        assert len(starts(person(booked_starts=booked), at(11, 0), at(12, 0), limited)) == expected


def test_who_left_the_team_has_no_slots():
    assert starts(person(is_member=False), at(10, 0), at(11, 0)) == []


def test_slots_cross_midnight_and_the_grid_begins_anew_there():
    night = hours((22, 24), (0, 2))
    assert starts(person(1, night), at(10, 21), at(11, 0), EventType(60, 50)) == [
        "22:00",
        "22:50",
        "23:40",
        "00:00",
        "00:50",
    ]


def test_steps_and_meetings_are_real_minutes_when_clocks_change():
    spring, autumn = person(1, hours((1, 4))), person(1, hours((1, 4)))
    assert starts(spring, at(29, 0), at(29, 12), EventType(60, 60)) == ["01:00", "03:00"]
    assert starts(autumn, at(24, 12, month=10), at(25, 12, month=10), EventType(60, 60, horizon_days=300)) == [
        "01:00",
        "02:00",
        "02:00",
        "03:00",
    ]


def team(assignment, *hosts, duration=30):
    slots = find_slots(EventType(duration, 30, assignment=assignment), hosts, now=NOW, start=at(10, 0), end=at(11, 0))
    return [(f"{slot.start.astimezone(BERLIN):%H:%M}", slot.user_ids) for slot in slots]


def test_any_needs_one_host_and_all_needs_every_host():
    ada, ben = person(1, busy=[booking(at(10, 8))]), person(2, hours((9, 10.5)))
    assert team("any", ada, ben) == [("09:00", (2,)), ("09:30", (1, 2)), ("10:00", (1, 2)), ("10:30", (1,))]
    assert team("all", ada, ben) == [("09:30", (1, 2)), ("10:00", (1, 2))]


def test_hosts_who_all_attend_share_the_grid_of_their_common_hours():
    ada, ben = person(1, hours((9, 11))), person(2, hours((9.25, 11)))
    assert team("all", ada, ben) == [("09:15", (1, 2)), ("09:45", (1, 2)), ("10:15", (1, 2))]
    assert [start for start, _ in team("any", ada, ben)][:3] == ["09:00", "09:15", "09:30"]


def test_nobody_cannot_be_booked():
    assert team("any") == team("all") == team("one") == []


def test_nearest_slots_are_given_in_the_order_of_time():
    slots = find_slots(HALF_HOUR, [person()], now=NOW, start=at(10, 0), end=at(12, 0))
    asked = at(10, 9)
    assert [slot.start for slot in nearest(slots, asked)] == [at(10, 8, 30), at(10, 9), at(10, 9, 30)]
    without = [slot for slot in slots if slot.start != asked]
    assert [slot.start for slot in nearest(without, asked)] == [at(10, 8), at(10, 8, 30), at(10, 9, 30)]
    assert [slot.start for slot in nearest(without, asked, 1)] == [at(10, 8, 30)]
    assert [slot.start for slot in nearest(slots[:2], asked)] == [at(10, 8), at(10, 8, 30)]


def test_guest_sees_slots_by_the_dates_of_a_zone_and_no_hosts():
    slots = find_slots(EventType(60, 60), [person()], now=NOW, start=at(10, 0), end=at(11, 0))
    (day,) = by_local_date(slots, ZoneInfo("Pacific/Honolulu"))
    assert (day.date, [slot.start for slot in day.slots]) == (date(2026, 3, 9), [at(10, 8), at(10, 9)])
    assert day.slots[0].local_start.isoformat() == "2026-03-09T22:00:00-10:00"
    assert day.slots[0].end == at(10, 9)
    assert {field.name for field in fields(day.slots[0])} == {"start", "end", "local_start"}
    across = by_local_date(slots, ZoneInfo("America/Adak"))
    assert [(day.date.day, len(day.slots)) for day in across] == [(9, 1), (10, 1)]
