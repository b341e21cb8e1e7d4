"""When several people are free."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduling.availability.common_times import find_common_times
from scheduling.availability.facts import Host
from tests.scheduling.availability.calendar_of_2026 import at, booking, hold, hours, person
from tests.scheduling.availability.reference import Diary, minutes
from tests.scheduling.availability.transitions import MINUTE
from tests.scheduling.availability.worlds import worlds

HOUR = timedelta(hours=1)


def common(people, quorum, duration=HOUR):
    times = find_common_times(people, duration=duration, start=at(10, 0), end=at(11, 0), quorum=quorum)
    return [(f"{time.start:%H:%M}", f"{time.end:%H:%M}", time.user_ids) for time in times]


def test_times_are_as_long_as_their_people_allow():
    ada, ben = person(1, hours((9, 13))), person(2, hours((10, 12)))
    assert common([ada, ben], 2) == [("09:00", "11:00", [1, 2])]
    assert common([ada, ben], 1) == [("08:00", "12:00", [1]), ("09:00", "11:00", [1, 2])]


def test_claims_and_holds_are_no_free_time():
    ada = person(1, hours((9, 13)), busy=[booking(at(10, 9), buffer=15)], holds=[hold(at(10, 11, 30))])
    assert common([ada], 1) == [("09:45", "11:30", [1])]


def test_time_that_is_too_short_is_left_out():
    assert common([person(1, hours((9, 10)))], 1) == [("08:00", "09:00", [1])]
    assert common([person(1, hours((9, 10)))], 1, HOUR + MINUTE) == []
    ada, ben = person(1, hours((9, 11))), person(2, hours((10, 12)))
    assert common([ada, ben], 2) == [("09:00", "10:00", [1, 2])]
    assert common([ada, ben], 2, HOUR + MINUTE) == []


def test_people_without_a_schedule_are_free_at_any_hour():
    assert common([Host(1), Host(2)], 2) == [("00:00", "00:00", [1, 2])]


def test_quorum_that_nobody_can_meet_finds_nothing():
    assert common([Host(1)], 2) == common([], 1) == []


@settings(max_examples=30, deadline=None)
@given(worlds(["all"]), st.integers(1, 3), st.sampled_from([1, 30, 90]))
def test_times_are_those_that_counting_minutes_finds(world, quorum, length):
    _, people, _, start, end = world
    duration = length * MINUTE
    times = find_common_times(people, duration=duration, start=start, end=end, quorum=quorum)
    free = {person.user_id: free_minutes(person, start, end) for person in people}
    for number in range(0, (end - start - duration) // MINUTE + 1, 5):
        begin = start + number * MINUTE
        meeting = minutes(begin, begin + duration)
        present = {user_id for user_id, its_minutes in free.items() if its_minutes.issuperset(meeting)}
        around = [set(time.user_ids) for time in times if time.start <= begin and begin + duration <= time.end]
        assert max(around, key=len, default=set()) == (present if len(present) >= quorum else set())
        assert all(found <= present for found in around)
    assert [(time.start, time.end) for time in times] == sorted({(time.start, time.end) for time in times})


def free_minutes(person, start, end):
    taken = [*person.busy, *person.holds]
    open_minutes = Diary(person, start, end).open
    return open_minutes.difference(*(minutes(claim.start, claim.end) for claim in taken))
