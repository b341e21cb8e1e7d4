"""Guests who send the same request many times at once: under one key, on one hold, or with nothing to tell it by."""

from uuid import uuid4

import pytest

from tests.attack.racing import RIVALS, Call, open_arena, tally
from tests.attack.test_races import settled
from tests.attack.test_races_appointments import GATE, TEAMS, Team
from tests.people import time_on
from tests.scheduling.appointments.claims import assert_whole


@pytest.fixture(scope="module")
def arena(request, tmp_path_factory):
    with open_arena(request, tmp_path_factory.mktemp("arena")) as arena:
        yield arena


@pytest.fixture(params=TEAMS)
def team(arena, request):
    return Team(arena, request.param)


def booked_once(team, start):
    """Hold the rows against one booking that was told of once."""
    rows = team.arena.ask("SELECT uid FROM diary WHERE event_type_uid = %s AND start_time = %s", team.link, start)
    assert len(rows) == (len(team.hosts) if team.mode == "all" else 1)
    assert len(set(rows)) == 1
    # Whatever was told of it and to whom: each host and the guest once.
    assert_whole(team.arena.database)


def under(key, call):
    return Call(call.method, call.path, call.body, headers={"Idempotency-Key": key})


def test_guest_under_one_key_books_once(arena, team):
    def play(day):
        start = time_on(day, 10)
        answers = settled(arena, [under(uuid4().hex, team.book(start))] * RIVALS)
        assert tally(answers) == {201: RIVALS}
        assert len({answer.content for answer in answers}) == 1
        assert len({answer.headers["ETag"] for answer in answers}) == 1
        assert [answer.headers["Idempotency-Replayed"] for answer in answers].count("true") == RIVALS - 1
        booked_once(team, start)

    arena.play(play)
    arena.mails()


def test_guest_on_one_hold_books_once(arena, team):
    def play(day):
        start = time_on(day, 10)
        answers = arena.race([team.book(start, hold=team.held(start))] * RIVALS, gate=GATE)
        assert tally(answers) == {201: RIVALS}
        assert len({answer.content for answer in answers}) == 1
        assert [answer.headers["Idempotency-Replayed"] for answer in answers].count("true") == RIVALS - 1
        booked_once(team, start)

    arena.play(play)
    arena.mails()


def test_guest_without_key_and_hold_books_once(arena, team):
    refused = (409, "already_booked" if team.mode == "any" else "slot_taken")

    def play(day):
        start = time_on(day, 10)
        answers = arena.race([team.book(start)] * RIVALS, gate=GATE)
        assert tally(answers) == {201: 1, refused: RIVALS - 1}
        booked_once(team, start)

    arena.play(play)
    arena.mails()
