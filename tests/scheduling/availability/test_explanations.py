"""Explanations by example: one verdict a rule, in words."""

from datetime import date, datetime

import orjson
import pytest

from scheduling.availability.explanation import explain
from scheduling.availability.facts import EventType
from scheduling.availability.rules import Rule
from tests.scheduling.availability.calendar_of_2026 import NOW, at, booking, hold, hours, person

PLAIN = EventType(30, 30)


def refusals(host, start, event_type=PLAIN):
    """Return code, sentence and end of what refuses a host."""
    (verdict,) = explain(event_type, [host], now=NOW, start=start).hosts
    assert [rule.code for rule in verdict.rules] == list(Rule)
    assert verdict.bookable == all(rule.passed for rule in verdict.rules)
    assert all(rule.detail.endswith(".") for rule in verdict.rules)
    return [(rule.code.value, rule.detail, rule.until) for rule in verdict.rules if not rule.passed]


DAY_OFF = hours((9, 11), overrides={date(2026, 3, 10): []})
BUFFERED = EventType(30, 30, buffer_after_minutes=10)
BOOKED = person(busy=[booking(at(10, 8, 30), number=7), booking(at(10, 8, 40), number=3)])


@pytest.mark.parametrize(
    ("event_type", "host", "start", "expected"),
    [
        (
            PLAIN,
            person(),
            at(10, 10),
            (
                "outside_hours",
                "The host's hours do not cover 2026-03-10 11:00:00+01:00 to 2026-03-10 11:30:00+01:00.",
                None,
            ),
        ),
        (
            PLAIN,
            person(1, DAY_OFF),
            at(10, 8),
            (
                "override",
                "The hours of the date itself do not cover 2026-03-10 09:00:00+01:00 to 2026-03-10 09:30:00+01:00.",
                None,
            ),
        ),
        (
            PLAIN,
            person(),
            at(10, 8, 7),
            (
                "grid",
                "Meetings start every 30 minutes from 2026-03-10 09:00:00+01:00, not at 2026-03-10 09:07:00+01:00.",
                None,
            ),
        ),
        (
            EventType(30, 30, notice_minutes=24 * 60 * 10),
            person(),
            at(10, 8),
            ("notice", "The notice is too short: 2026-03-11 01:00:00+01:00 is the earliest start.", None),
        ),
        (
            EventType(30, 30, horizon_days=9),
            person(),
            at(10, 8),
            ("horizon", "Too far ahead: 2026-03-10 01:00:00+01:00 is the latest start.", at(1, 8)),
        ),
        (
            EventType(30, 30, daily_limit=1),
            person(booked_starts=[at(10, 10)]),
            at(10, 8),
            ("daily_limit", "The daily limit of 1 is reached on 2026-03-10.", None),
        ),
        (BUFFERED, BOOKED, at(10, 8), ("buffer", "Within a buffer of booking 7.", None)),
        (PLAIN, BOOKED, at(10, 8, 30), ("busy", "Busy with booking 3 and booking 7.", None)),
        (
            PLAIN,
            person(holds=[hold(at(10, 8), until=at(1, 0, 5)), hold(at(10, 8, 10), until=at(1, 0, 4))]),
            at(10, 8),
            ("held", "Held until 2026-03-01 01:05:00+01:00.", at(1, 0, 5)),
        ),
        (PLAIN, person(is_member=False), at(10, 8), ("not_member", "The host left the team.", None)),
    ],
    ids=[rule.value for rule in Rule],
)
def test_each_rule_says_why_it_refuses(event_type, host, start, expected):
    assert refusals(host, start, event_type) == [expected]


@pytest.mark.parametrize("start", [at(10, 8), at(10, 9, 30)], ids=["at opening", "until closing"])
def test_free_time_is_refused_by_no_rule(start):
    assert refusals(person(), start) == []


def test_bounds_of_notice_and_horizon_are_allowed():
    assert refusals(person(), at(10, 8), EventType(30, 30, notice_minutes=(9 * 24 + 8) * 60)) == []
    assert refusals(person(1, hours((0, 24))), at(10, 0), EventType(30, 30, horizon_days=9)) == []


def test_first_start_of_a_full_date_is_refused_and_that_of_the_next_is_not():
    limited, host = EventType(30, 30, daily_limit=1), person(1, hours((0, 24)), booked_starts=[at(10, 10)])
    assert [refusals(host, start, limited) != [] for start in (at(9, 23), at(10, 22, 30), at(10, 23))] == [
        True,
        True,
        False,
    ]


def test_what_touches_is_neither_busy_nor_a_buffer():
    host = person(busy=[booking(at(10, 8, 30))])
    assert refusals(host, at(10, 8)) == refusals(host, at(10, 9)) == []
    barely = at(10, 8) + datetime.resolution
    assert [code for code, _, _ in refusals(host, barely)] == ["grid", "busy"]
    buffered = person(busy=[booking(at(10, 8, 30), buffer=10)])
    assert [refusals(buffered, start)[0][0] for start in (at(10, 8), at(10, 9))] == ["buffer", "buffer"]


def test_hours_that_neither_date_nor_week_offers_are_outside_hours():
    assert [code for code, _, _ in refusals(person(1, DAY_OFF), at(10, 3))] == ["outside_hours"]


def test_grid_ends_with_the_hours():
    fifty = EventType(5, 50)
    assert [code for code, _, _ in refusals(person(), at(10, 9, 59), fifty)] == ["outside_hours", "grid"]
    assert [code for code, _, _ in refusals(person(), at(10, 10), fifty)] == ["outside_hours"]


def test_all_reasons_are_named_at_once():
    host = person(1, DAY_OFF, busy=[booking(at(10, 8), number=7)], is_member=False)
    assert [code for code, _, _ in refusals(host, at(10, 8))] == ["override", "busy", "not_member"]


def test_team_is_bookable_when_enough_of_it_are():
    free, busy = person(1), person(2, busy=[booking(at(10, 8))])
    for assignment, bookable in [("any", True), ("all", False)]:
        explanation = explain(EventType(30, 30, assignment=assignment), [free, busy], now=NOW, start=at(10, 8))
        assert explanation.bookable == bookable
        assert explanation.free == [1]
    assert not explain(EventType(30, 30, assignment="all"), [], now=NOW, start=at(10, 8)).bookable


def test_explanation_has_the_shape_of_the_answer():
    document = orjson.loads(orjson.dumps(explain(PLAIN, [person()], now=NOW, start=at(10, 8))))
    assert document.keys() == {"bookable", "hosts"}
    assert document["hosts"][0].keys() == {"user_id", "bookable", "rules"}
    assert document["hosts"][0]["rules"][0].keys() == {"code", "passed", "detail", "until"}
    assert document["hosts"][0]["rules"][0]["code"] == "outside_hours"
