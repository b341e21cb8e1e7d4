"""What must hold of slots and explanations, whatever the hosts, the zone and the time."""

from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduling.availability.explanation import explain
from scheduling.availability.rules import Rule
from scheduling.availability.slots import find_slots
from tests.scheduling.availability.reference import Diary, failed_rules, reference_slots
from tests.scheduling.availability.transitions import MINUTE
from tests.scheduling.availability.worlds import worlds


def offered(world):
    event_type, hosts, now, start, end = world
    return find_slots(event_type, hosts, now=now, start=start, end=end)


def verdicts(explanation):
    return [(host.user_id, rule.code, rule.passed, rule.detail) for host in explanation.hosts for rule in host.rules]


@settings(max_examples=40, deadline=None)
@given(worlds())
def test_slots_are_those_that_counting_minutes_finds(world):
    assert [(slot.start, list(slot.user_ids)) for slot in offered(world)] == list(reference_slots(*world))


@settings(max_examples=40, deadline=None)
@given(worlds(), st.data())
def test_refusals_are_those_that_counting_minutes_finds(world, data):
    event_type, hosts, now, start, end = world
    diaries = [Diary(host, start, end) for host in hosts]
    for number in data.draw(st.lists(st.integers(0, (end - start) // MINUTE - 1), min_size=1, max_size=10)):
        moment = start + number * MINUTE
        explanation = explain(event_type, hosts, now=now, start=moment)
        failed = [{rule.code.value for rule in host.rules if not rule.passed} for host in explanation.hosts]
        assert failed == [set(failed_rules(event_type, diaries, diary, now, moment)) for diary in diaries]


@settings(max_examples=40, deadline=None)
@given(worlds())
def test_every_slot_is_bookable_by_its_explanation_and_no_other_start_is(world):
    event_type, hosts, now, start, end = world
    slots = {slot.start: list(slot.user_ids) for slot in offered(world)}
    moment = start
    while moment < end:
        explanation = explain(event_type, hosts, now=now, start=moment)
        assert explanation.bookable == (moment in slots)
        assert explanation.free == slots.get(moment, explanation.free)
        moment += timedelta(minutes=5)
    for moment, free in slots.items():
        explanation = explain(event_type, hosts, now=now, start=moment)
        assert explanation.bookable
        assert explanation.free == free
        assert not explain(event_type, hosts, now=now, start=moment + datetime.resolution).bookable


@settings(max_examples=40, deadline=None)
@given(worlds())
def test_no_claim_of_a_slot_overlaps_what_is_taken(world):
    event_type, hosts, _, _, _ = world
    people = {host.user_id: host for host in hosts}
    for slot in offered(world):
        start, end = slot.start - event_type.buffer_before, slot.end + event_type.buffer_after
        for user_id in slot.user_ids:
            for claim in (*people[user_id].busy, *people[user_id].holds):
                assert end <= claim.start or claim.end <= start


@settings(max_examples=40, deadline=None)
@given(worlds(), st.integers(0, 2160), st.integers(0, 2160))
def test_slots_do_not_depend_on_the_window_they_are_asked_for(world, before, after):
    event_type, hosts, now, start, end = world
    wide = find_slots(event_type, hosts, now=now, start=start - before * MINUTE, end=end + after * MINUTE)
    assert [slot for slot in wide if start <= slot.start < end] == offered(world)


@settings(max_examples=40, deadline=None)
@given(worlds(), st.integers(-5000, 5000))
def test_moving_the_clock_moves_notice_and_horizon_only(world, number):
    event_type, hosts, now, start, _ = world
    unmoved = verdicts(explain(event_type, hosts, now=now, start=start))
    moved = verdicts(explain(event_type, hosts, now=now + number * MINUTE, start=start))
    changed = {before[1] for before, after in zip(unmoved, moved, strict=True) if before != after}
    assert changed <= {Rule.NOTICE, Rule.HORIZON}


@settings(max_examples=40, deadline=None)
@given(worlds())
def test_refusal_is_lifted_by_the_clock_when_it_says_so(world):
    event_type, hosts, now, start, _ = world
    for host in explain(event_type, hosts, now=now, start=start).hosts:
        for rule in host.rules:
            assert rule.until is None or not rule.passed
            if rule.code == Rule.HORIZON and not rule.passed:
                later = {
                    each.code: each for each in explain(event_type, hosts, now=rule.until, start=start).hosts[0].rules
                }
                assert later[Rule.HORIZON].passed
