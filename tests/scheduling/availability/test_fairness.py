"""Who is chosen among free hosts, and why not the others."""

from hypothesis import given
from hypothesis import strategies as st

from scheduling.availability.fairness import choose
from tests.scheduling.availability.calendar_of_2026 import at, person


def reasons(choice):
    return {each.user_id: each.reason for each in choice.passed_over}


def test_fewest_upcoming_bookings_come_first():
    choice = choose([person(1, upcoming=2, last_booked_at=at(1, 0)), person(2, upcoming=1, last_booked_at=at(9, 0))])
    assert choice.user_id == 2
    assert reasons(choice) == {1: "Has more upcoming bookings of this type: 2, the chosen host 1."}


def test_longest_idle_comes_next_and_never_booked_is_longest():
    choice = choose([person(1, last_booked_at=at(2, 0)), person(2, last_booked_at=at(1, 0)), person(3)])
    assert choice.user_id == 3
    sentence = "Has as many upcoming bookings of this type, and was booked more recently."
    assert reasons(choice) == {2: sentence, 1: sentence}


def test_lowest_id_decides_between_equals():
    choice = choose([person(9), person(4)])
    assert choice.user_id == 4
    assert reasons(choice) == {
        9: "Has as many upcoming bookings of this type, was idle as long, and has the higher user id."
    }


def test_only_free_host_is_chosen_over_nobody():
    assert reasons(choose([person(5)])) == {}


@given(st.lists(st.tuples(st.integers(0, 3), st.none() | st.integers(1, 3)), min_size=1, max_size=6), st.randoms())
def test_choice_does_not_depend_on_the_order_of_hosts(facts, random):
    hosts = [
        person(number, upcoming=upcoming, last_booked_at=day and at(day, 0))
        for number, (upcoming, day) in enumerate(facts)
    ]
    choice = choose(hosts)
    random.shuffle(hosts)
    assert choose(hosts) == choice
    assert {choice.user_id, *reasons(choice)} == {host.user_id for host in hosts}


def test_bookings_given_one_by_one_are_spread_evenly():
    counts = dict.fromkeys((1, 2, 3), 0)
    for _ in range(10):
        counts[choose([person(user_id, upcoming=count) for user_id, count in counts.items()]).user_id] += 1
    assert sorted(counts.values()) == [3, 3, 4]
