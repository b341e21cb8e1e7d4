"""Overlapping entries are listed, exclusive bookings are alone."""

from datetime import timedelta

import pytest

from tests.people import time_on
from tests.scheduling.answers import assert_refused, nothing_written
from tests.scheduling.diary import as_text, cancelled


def test_overlapping_entry_is_accepted_and_lists_what_it_overlaps(people):
    alice = people.alice
    first = alice.booking(hour=9, hours=2)
    second = alice.booking(hour=10, hours=2)
    alice.booking(hour=13)
    answer = alice.book(hour=9, hours=4)
    assert answer.status_code == 201
    assert answer.json["conflicts"] == [first["id"], second["id"]]


@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize(("hour", "hours"), [(8, 1), (10, 1), (11, 3)])
def test_adjacent_entries_do_not_overlap(people, exclusive, hour, hours):
    people.alice.booking(hour=9, hours=1, exclusive=exclusive)
    answer = people.alice.book(hour=hour, hours=hours, exclusive=exclusive)
    assert (answer.status_code, answer.json["conflicts"]) == (201, [])


@pytest.mark.parametrize(("hour", "hours"), [(9, 1), (8, 2), (9, 4), (8, 5), (11, 2), (10, 1)])
@pytest.mark.parametrize("rival", [False, True], ids=["over an ordinary entry", "over an exclusive entry"])
def test_exclusive_booking_needs_a_free_time(people, database, rival, hour, hours):
    alice = people.alice
    taken = alice.booking(hour=9, hours=3, exclusive=rival)
    with nothing_written(database):
        answer = alice.book(hour=hour, hours=hours, exclusive=True)
        assert_refused(answer, 409, "booking_conflict", conflicts=[taken["id"]])


def test_ordinary_entry_may_be_laid_over_an_exclusive_one(people):
    taken = people.alice.booking(exclusive=True)
    answer = people.alice.book()
    assert (answer.status_code, answer.json["conflicts"]) == (201, [taken["id"]])


@pytest.mark.parametrize("exclusive", [False, True])
def test_cancelled_entries_and_other_diaries_are_in_nobodys_way(people, exclusive):
    cancelled(people.alice, exclusive=exclusive)
    people.bob.booking(exclusive=True)
    answer = people.alice.book(exclusive=True)
    assert (answer.status_code, answer.json["conflicts"]) == (201, [])


def test_longest_booking_is_found_by_what_overlaps_its_end(people):
    start = time_on(1)
    end = start + timedelta(days=366)
    long = people.alice.post("/bookings", {"title": "Long", "start": as_text(start), "end": as_text(end)}).json[
        "booking"
    ]
    late = {
        "title": "Late",
        "start": as_text(end - timedelta(microseconds=1)),
        "end": as_text(end + timedelta(hours=1)),
    }
    answer = people.alice.post("/bookings", late | {"exclusive": True})
    assert_refused(answer, 409, "booking_conflict", conflicts=[long["id"]])
    assert people.alice.post("/bookings", late | {"start": as_text(end), "exclusive": True}).status_code == 201


def test_move_lists_what_the_booking_overlaps_now_but_not_itself(people):
    other = people.alice.booking(hour=12, exclusive=True)
    booking = people.alice.booking(hour=9)
    path = f"/bookings/{booking['id']}"
    answer = people.alice.patch(path, {"end": as_text(time_on(1, 13))})
    assert (answer.status_code, answer.json["conflicts"]) == (200, [other["id"]])
    answer = people.alice.patch(path, {"end": as_text(time_on(1, 12))})
    assert (answer.status_code, answer.json["conflicts"]) == (200, [])


@pytest.mark.parametrize("rival", [False, True])
def test_exclusive_booking_cannot_be_moved_over_another(people, database, rival):
    other = people.alice.booking(hour=12, exclusive=rival)
    booking = people.alice.booking(hour=9, exclusive=True)
    path = f"/bookings/{booking['id']}"
    with nothing_written(database):
        answer = people.alice.patch(path, {"end": as_text(time_on(1, 13))})
        assert_refused(answer, 409, "booking_conflict", conflicts=[other["id"]])
    assert people.alice.patch(path, {"end": as_text(time_on(1, 12))}).status_code == 200


def test_exclusive_booking_can_be_renamed_though_an_entry_was_laid_over_it(people):
    booking = people.alice.booking(exclusive=True)
    over = people.alice.booking()
    answer = people.alice.patch(f"/bookings/{booking['id']}", {"title": "Renamed"})
    assert (answer.status_code, answer.json.get("conflicts")) == (200, [over["id"]])


@pytest.mark.parametrize("rival", [False, True])
def test_exclusive_booking_cannot_be_restored_over_another(people, database, rival):
    booking = cancelled(people.alice, exclusive=True)
    taken = people.alice.booking(exclusive=rival)
    with nothing_written(database):
        answer = people.alice.post(f"/bookings/{booking['id']}/restore")
        assert_refused(answer, 409, "booking_conflict", conflicts=[taken["id"]])


def test_ordinary_booking_is_restored_over_another_and_lists_it(people):
    booking = cancelled(people.alice)
    taken = people.alice.booking(exclusive=True)
    answer = people.alice.post(f"/bookings/{booking['id']}/restore")
    assert (answer.status_code, answer.json["conflicts"]) == (200, [taken["id"]])
