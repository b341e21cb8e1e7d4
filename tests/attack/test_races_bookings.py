"""Rivals for one time, and for one booking: the database decides once."""

from itertools import chain
from random import Random

import pytest

from tests.attack.racing import RIVALS, Call, only, open_arena, tally, writers_of
from tests.people import time_on

GATE = writers_of("bookings")


@pytest.fixture(scope="module")
def arena(request, tmp_path_factory):
    with open_arena(request, tmp_path_factory.mktemp("arena")) as arena:
        yield arena


@pytest.fixture
def alice(arena):
    return arena.stack.register("Alice")


def times(day, hour=9):
    return {"start": time_on(day, hour).isoformat(), "end": time_on(day, hour + 1).isoformat()}


def book(person, day, title="Standup", **more):
    return Call("POST", "/bookings", {"title": title, **times(day), **more}, person.token)


def cancel(person, booking):
    return Call("DELETE", f"/bookings/{booking['id']}", token=person.token)


def change(person, booking, body, **headers):
    return Call("PATCH", f"/bookings/{booking['id']}", body, person.token, headers)


def restore(person, booking):
    return Call("POST", f"/bookings/{booking['id']}/restore", token=person.token)


def confirmed_on(person, day):
    window = {"from": time_on(day, 0).isoformat(), "to": time_on(day + 1, 0).isoformat(), "status": "confirmed"}
    # A connection of its own asks after the race, so it sees what was committed.
    return person.get("/bookings", params=window).json


def told(arena, kind, booking_id):
    query = "SELECT id FROM notifications WHERE type = %s AND (metadata ->> 'booking_id')::bigint = %s"
    return len(arena.ask(query, kind, booking_id))


def test_of_exclusive_bookings_on_one_time_one_wins(arena, alice):
    def play(day):
        answers = arena.race([book(alice, day, f"Won {day}", exclusive=True)] * RIVALS, gate=GATE)
        assert tally(answers) == {201: 1, (409, "booking_conflict"): RIVALS - 1}
        winner = only(answers, 201).json
        assert winner["conflicts"] == []
        assert {tuple(answer.json["conflicts"]) for answer in answers if answer.status == 409} == {
            (winner["booking"]["id"],)
        }
        assert confirmed_on(alice, day) == [winner["booking"]]

    arena.play(play)
    mails = arena.mails()
    assert [mails[f"Booking confirmed: Won {day}"] for day in arena.numbers] == [1] * len(arena.numbers)


def test_exclusive_booking_is_never_laid_over_an_ordinary_one(arena, alice):
    won = []

    def play(day):
        # One ordinary entry among many exclusive ones, or the other way round: both sides win at times.
        ordinary = 1 + day % 4
        calls = [book(alice, day, exclusive=number >= ordinary) for number in range(RIVALS)]
        answers = arena.race(Random(day).sample(calls, RIVALS), gate=GATE)
        created = [answer.json for answer in answers if answer.status == 201]
        exclusive = [answer["booking"]["id"] for answer in created if answer["booking"]["exclusive"]]
        won.extend(exclusive)
        assert len(created) - len(exclusive) == ordinary
        assert len(exclusive) <= 1
        assert all(answer["conflicts"] == [] for answer in created if answer["booking"]["exclusive"])
        for answer in created:
            if not answer["booking"]["exclusive"]:
                assert set(exclusive) <= set(answer["conflicts"]), "an ordinary entry was there first"
        refused = [answer for answer in answers if answer.status != 201]
        assert {answer.code for answer in refused} == {"booking_conflict"}
        assert all(answer.json["conflicts"] for answer in refused)
        assert len(confirmed_on(alice, day)) == len(created)

    arena.play(play)
    assert won, "no exclusive booking was ever first: nothing was tried"


def test_ordinary_entries_may_all_have_one_time(arena, alice):
    def play(day):
        answers = arena.race([book(alice, day)] * RIVALS, gate=GATE)
        assert tally(answers) == {201: RIVALS}
        ids = {answer.json["booking"]["id"] for answer in answers}
        assert set(chain.from_iterable(answer.json["conflicts"] for answer in answers)) <= ids

    arena.play(play)


def test_of_exclusive_bookings_moved_into_one_time_one_wins(arena, alice):
    scattered = [alice.booking(day=200 + number, exclusive=True) for number in range(RIVALS)]

    def play(day):
        answers = arena.race([change(alice, booking, times(day)) for booking in scattered], gate=GATE)
        assert tally(answers) == {200: 1, (409, "booking_conflict"): RIVALS - 1}
        winner = only(answers, 200).json["booking"]
        assert confirmed_on(alice, day) == [winner]
        # The conflict is said to be with who came first.
        assert {id_ for answer in answers for id_ in answer.json["conflicts"]} == {winner["id"]}

    arena.play(play)


def test_booking_is_cancelled_once(arena, alice):
    def play(day):
        booking = alice.booking(f"Cancelled {day}", day=day)
        answers = arena.race([cancel(alice, booking)] * RIVALS, gate=GATE)
        assert tally(answers) == {200: 1, (404, "not_found"): RIVALS - 1}
        assert only(answers, 200).json["booking"]["version"] == 2
        assert told(arena, "BOOKING_CANCELLED", booking["id"]) == 1

    arena.play(play)
    mails = arena.mails()
    assert [mails[f"Booking cancelled: Cancelled {day}"] for day in arena.numbers] == [1] * len(arena.numbers)


def test_booking_that_is_changed_while_it_is_cancelled_counts_every_success(arena, alice):
    def play(day):
        booking = alice.booking(day=day)
        changes = [change(alice, booking, {"title": f"Title {number}"}) for number in range(RIVALS - 2)]
        answers = arena.race(Random(day).sample([*changes, *[cancel(alice, booking)] * 2], RIVALS), gate=GATE)
        done = sorted(
            (answer.json["booking"] for answer in answers if answer.status == 200), key=lambda row: row["version"]
        )
        assert [row["version"] for row in done] == list(range(2, 2 + len(done)))
        assert [row["status"] for row in done] == ["confirmed"] * (len(done) - 1) + ["cancelled"]
        refusals = {(409, "booking_cancelled"), (404, "not_found")}
        assert {key for key in tally(answers) if key != 200} <= refusals
        assert tally(answers)[404, "not_found"] == 1
        # What is kept is what was answered last, with the title of the last change.
        assert alice.get(f"/bookings/{booking['id']}").json == done[-1]
        assert done[-1]["title"] == ([booking, *done])[-2]["title"]

    arena.play(play)


def test_of_changes_to_one_version_one_wins(arena, alice):
    def play(day):
        booking = alice.booking(day=day)
        tag = alice.get(f"/bookings/{booking['id']}").headers["ETag"]
        rivals = [change(alice, booking, {"title": f"Title {n}"}, **{"If-Match": tag}) for n in range(RIVALS)]
        answers = arena.race(rivals, gate=GATE)
        assert tally(answers) == {200: 1, (412, "precondition_failed"): RIVALS - 1}
        assert alice.get(f"/bookings/{booking['id']}").json == only(answers, 200).json["booking"]

    arena.play(play)


def test_booking_is_restored_once(arena, alice):
    def play(day):
        booking = alice.booking(f"Restored {day}", day=day, exclusive=bool(day % 2))
        alice.delete(f"/bookings/{booking['id']}")
        answers = arena.race([restore(alice, booking)] * RIVALS, gate=GATE)
        assert tally(answers) == {200: 1, (409, "booking_not_cancelled"): RIVALS - 1}
        # One of when it was booked, one of now.
        assert told(arena, "BOOKING_CONFIRMED", booking["id"]) == 2

    arena.play(play)
    mails = arena.mails()
    assert [mails[f"Booking confirmed: Restored {day}"] for day in arena.numbers] == [2] * len(arena.numbers)


def test_of_exclusive_bookings_restored_and_made_on_one_time_one_wins(arena, alice):
    def cancelled(day):
        booking = alice.booking(day=day, exclusive=True)
        assert alice.delete(f"/bookings/{booking['id']}").status_code == 200
        return booking

    day = 300
    candidates = [cancelled(day) for _ in range(RIVALS - 5)]

    def play(_):
        answers = arena.race(
            [*(restore(alice, one) for one in candidates), *[book(alice, day, exclusive=True)] * 5], gate=GATE
        )
        won = [answer.json["booking"] for answer in answers if answer.status < 400]
        assert len(won) == 1
        assert {key for key in tally(answers) if key not in (200, 201)} == {(409, "booking_conflict")}
        assert confirmed_on(alice, day) == won
        assert alice.delete(f"/bookings/{won[0]['id']}").status_code == 200

    arena.play(play)


def test_booking_is_cancelled_and_restored_in_turns(arena, alice):
    def play(day):
        booking = alice.booking(f"Turned {day}", day=day, exclusive=True)
        answers = arena.race([cancel(alice, booking), restore(alice, booking)] * (RIVALS // 2), gate=GATE)
        done = sorted(
            (answer.json["booking"] for answer in answers if answer.status == 200), key=lambda row: row["version"]
        )
        assert [row["version"] for row in done] == list(range(2, 2 + len(done)))
        turns = ["cancelled", "confirmed"] * RIVALS
        assert [row["status"] for row in done] == turns[: len(done)]
        assert alice.get(f"/bookings/{booking['id']}").json == done[-1]
        assert told(arena, "BOOKING_CANCELLED", booking["id"]) == sum(row["status"] == "cancelled" for row in done)
        assert told(arena, "BOOKING_CONFIRMED", booking["id"]) == 1 + sum(row["status"] == "confirmed" for row in done)

    arena.play(play)
