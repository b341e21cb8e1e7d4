"""Rivals under one Idempotency-Key, and for what one was told."""

from itertools import count
from uuid import uuid4

import pytest

from tests.attack.racing import RIVALS, Call, only, open_arena, tally, writers_of
from tests.people import time_on

IN_PROGRESS = (409, "idempotency_in_progress")


@pytest.fixture(scope="module")
def arena(request, tmp_path_factory):
    with open_arena(request, tmp_path_factory.mktemp("arena")) as arena:
        yield arena


@pytest.fixture
def alice(arena):
    return arena.stack.register("Alice")


@pytest.fixture
def bob(arena):
    return arena.stack.register("Bob")


def keyed(person, path, body, key):
    return Call("POST", path, body, person.token, {"Idempotency-Key": key})


def slot(day, **more):
    return {"title": f"Slot {day}", "start": time_on(day, 9).isoformat(), "end": time_on(day, 10).isoformat(), **more}


def settled(arena, calls):
    """Race, and repeat what was too early until nothing is; return the last answer to each call."""
    answers = arena.race(calls)
    for _ in range(50):
        early = [number for number, answer in enumerate(answers) if tally([answer]) == {IN_PROGRESS: 1}]
        if not early:
            return answers
        assert all(int(answers[number].headers["Retry-After"]) >= 1 for number in early)
        for number, answer in zip(early, arena.race([calls[number] for number in early]), strict=True):
            answers[number] = answer
    raise AssertionError("the first request never ends")


def effects(arena, person):
    """Return how many rows of each kind somebody has."""
    tables = {"bookings": "user_id", "notifications": "user_id", "organizations": "owner_id"}
    tables |= {"analytics_events": "user_id", "idempotency_keys": "user_id"}
    return {
        table: arena.ask(f"SELECT count(*) FROM {table} WHERE {column} = %s", person.id)[0][0]
        for table, column in tables.items()
    }


def grown(before, after):
    return {table: after[table] - before[table] for table in after if after[table] != before[table]}


@pytest.mark.parametrize(
    ("path", "rows"),
    [
        ("/bookings", {"bookings": 1, "notifications": 1}),
        ("/organizations", {"organizations": 1}),
        ("/analytics/event", {"analytics_events": 1}),
    ],
)
def test_one_key_has_one_effect_and_one_answer(arena, alice, path, rows):
    def play(number):
        body = {**slot(number, exclusive=True), "name": f"Team {number}", "eventType": "clicked"}
        before = effects(arena, alice)
        answers = settled(arena, [keyed(alice, path, body, uuid4().hex)] * RIVALS)
        assert tally(answers) == {201: RIVALS}
        assert len({answer.content for answer in answers}) == 1
        assert len({answer.headers["ETag"] for answer in answers}) == 1
        assert [answer.headers["Idempotency-Replayed"] for answer in answers].count("true") == RIVALS - 1
        assert grown(before, effects(arena, alice)) == {**rows, "idempotency_keys": 1}

    arena.play(play)
    if path == "/bookings":
        mails = arena.mails()
        assert [mails[f"Booking confirmed: Slot {number}"] for number in arena.numbers] == [1] * len(arena.numbers)


def test_one_key_adds_a_member_once(arena, alice, bob):
    def play(number):
        team = alice.organization(f"Team {number}")
        add = keyed(alice, f"/organizations/{team}/members", {"email": bob.email}, uuid4().hex)
        answers = settled(arena, [add] * RIVALS)
        assert tally(answers) == {201: RIVALS}
        assert len({answer.content for answer in answers}) == 1

    arena.play(play)
    assert grown(dict.fromkeys(effects(arena, bob), 0), effects(arena, bob)) == {"notifications": len(arena.numbers)}
    mails = arena.mails()
    assert [mails[f"You have been added to Team {number}"] for number in arena.numbers] == [1] * len(arena.numbers)


def test_one_key_restores_a_booking_once(arena, alice):
    def play(number):
        booking = alice.booking(f"Restored {number}", day=number)
        alice.delete(f"/bookings/{booking['id']}")
        answers = settled(arena, [keyed(alice, f"/bookings/{booking['id']}/restore", None, uuid4().hex)] * RIVALS)
        assert tally(answers) == {200: RIVALS}
        assert {answer.json["booking"]["version"] for answer in answers} == {3}

    arena.play(play)
    mails = arena.mails()
    assert [mails[f"Booking confirmed: Restored {number}"] for number in arena.numbers] == [2] * len(arena.numbers)


def test_of_different_bodies_under_one_key_one_wins(arena, alice):
    def play(number):
        before, key = effects(arena, alice), uuid4().hex
        calls = [keyed(alice, "/bookings", slot(number, title=f"Body {body}"), key) for body in range(RIVALS)]
        answers = settled(arena, calls)
        assert tally(answers) == {201: 1, (422, "idempotency_mismatch"): RIVALS - 1}
        winner = [answer.status for answer in answers].index(201)
        assert answers[winner].json["booking"]["title"] == f"Body {winner}"
        assert grown(before, effects(arena, alice)) == {"bookings": 1, "notifications": 1, "idempotency_keys": 1}

    arena.play(play)


def test_keys_of_rivals_for_one_time_do_not_stand_in_each_others_way(arena, alice):
    def play(number):
        answers = arena.race(
            [keyed(alice, "/bookings", slot(number, exclusive=True), uuid4().hex) for _ in range(RIVALS)]
        )
        assert tally(answers) == {201: 1, (409, "booking_conflict"): RIVALS - 1}

    arena.play(play)
    assert effects(arena, alice)["idempotency_keys"] == len(arena.numbers)


def test_refusal_leaves_the_key_free(arena, alice):
    def play(number):
        taken = alice.booking(day=number)
        call = keyed(alice, "/bookings", slot(number, exclusive=True), uuid4().hex)
        assert set(tally(arena.race([call] * RIVALS))) <= {(409, "booking_conflict"), IN_PROGRESS}
        alice.delete(f"/bookings/{taken['id']}")
        assert tally(settled(arena, [call] * RIVALS)) == {201: RIVALS}

    arena.play(play)
    assert effects(arena, alice)["idempotency_keys"] == len(arena.numbers)


def test_key_belongs_to_its_user(arena, alice, bob):
    def play(number):
        key = uuid4().hex
        calls = [keyed(person, "/organizations", {"name": person.name}, key) for person in (alice, bob)]
        answers = settled(arena, calls * (RIVALS // 2))
        assert tally(answers) == {201: RIVALS}
        owners = [answer.json["organization"]["owner_id"] for answer in answers]
        assert owners == [alice.id, bob.id] * (RIVALS // 2)
        assert len({answer.content for answer in answers}) == 2

    arena.play(play)


def test_every_notification_is_marked_as_read_once(arena, alice):
    days = count(1)

    def play(_):
        for _ in range(5):
            alice.booking(day=next(days))
        before = alice.get("/notifications/count").json["unread"]
        read_all = Call("PATCH", "/notifications/read-all", token=alice.token)
        news = [Call("POST", "/bookings", slot(next(days)), alice.token) for _ in range(RIVALS // 2)]
        calls = [call for pair in zip(news, [read_all] * (RIVALS // 2), strict=True) for call in pair]
        answers = arena.race(calls, gate=writers_of("notifications"))
        assert tally(answers) == {201: RIVALS // 2, 200: RIVALS // 2}
        updated = sum(answer.json["updated"] for answer in answers if answer.status == 200)
        unread = alice.get("/notifications/unread").json
        assert updated + len(unread) == before + RIVALS // 2
        assert alice.get("/notifications/count").json["unread"] == len(unread)

    arena.play(play)


def test_notification_is_deleted_once_while_all_are_read(arena, alice):
    days = count(1)

    def play(_):
        for _ in range(3):
            alice.booking(day=next(days))
        latest = alice.get("/notifications").json[0]["id"]
        deletion = Call("DELETE", f"/notifications/{latest}", token=alice.token)
        read, read_all = (
            Call("PATCH", f"/notifications/{path}", token=alice.token) for path in (f"{latest}/read", "read-all")
        )
        answers = arena.race([deletion, read, read_all, deletion] * (RIVALS // 4), gate=writers_of("notifications"))
        assert only([answers[number] for number in range(RIVALS) if number % 4 in (0, 3)], 200)
        assert {key for key in tally(answers) if key != 200} <= {(404, "not_found")}
        assert alice.get("/notifications/count").json == {"unread": 0}

    arena.play(play)
