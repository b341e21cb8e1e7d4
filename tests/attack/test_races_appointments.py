"""Rivals for people who can be booked: guests, holders, guests who move, and hosts with entries of their own."""

from itertools import chain, count, islice, repeat
from random import Random

import pytest

from tests.attack.racing import RIVALS, Call, only, open_arena, tally, writers_of
from tests.people import time_on
from tests.scheduling.appointments.claims import assert_whole
from tests.scheduling.appointments.guests import GUEST, text

GATE = writers_of("bookings", "holds")
TEAMS = {"one": 1, "any": 3, "all": 3}
_numbers = count(1)
REFUSALS = {(409, "slot_taken"), (409, "booking_conflict")}


@pytest.fixture(scope="module")
def arena(request, tmp_path_factory):
    with open_arena(request, tmp_path_factory.mktemp("arena")) as arena:
        yield arena


class Team:
    """A link to one host or several, and what rivals send to it."""

    def __init__(self, arena, mode):
        self.arena, self.mode = arena, mode
        self.hosts = arena.people("Host", TEAMS[mode])
        owner = self.hosts[0]
        more = {"assignment": mode, "hosts": [host.id for host in self.hosts], "horizon_days": 730}
        if len(self.hosts) > 1:
            more["organization_id"] = owner.organization("Team", *self.hosts[1:])
        self.link = owner.event_type_uid(buffer_after_minutes=10, **more)
        self.room = len(self.hosts) if mode == "any" else 1
        self.client = arena.stack.client

    def book(self, start, **more):
        """Return the request of a guest who has not booked before."""
        guest = GUEST | {"email": f"gail{next(_numbers)}@example.com", "start": text(start)}
        return Call("POST", f"/event-types/{self.link}/bookings", guest | more)

    def guests(self, start, number):
        """Return the requests of several guests for one time."""
        return [self.book(start) for _ in range(number)]

    def hold(self, start):
        """Return the request of a holder."""
        return Call("POST", f"/event-types/{self.link}/holds", {"start": text(start)})

    def enter(self, host, start):
        """Return the request of a host who wants the time for something else."""
        body = {"title": "Dentist", "start": text(start), "end": text(start.replace(minute=30)), "exclusive": True}
        return Call("POST", "/bookings", body, host.token)

    def move(self, booked, start):
        """Return the request of a guest who moves a booking."""
        return self._as_guest("PATCH", booked, {"start": text(start)})

    def cancel(self, booked):
        """Return the request of a guest who cancels a booking."""
        return self._as_guest("DELETE", booked)

    def _as_guest(self, method, booked, body=None):
        token = {"Authorization": f"Bearer {booked['manage_token']}"}
        return Call(method, f"/guest/bookings/{booked['booking']['uid']}", body, headers=token)

    def booked(self, start):
        """Book as a guest, without a rival."""
        return self._done(self.book(start), 201)

    def held(self, start):
        """Hold a time, without a rival, and return the hold."""
        return self._done(self.hold(start), 201)["hold"]

    def offers(self, start):
        """Tell whether a start is offered."""
        window = {"from": text(start), "to": text(start.replace(minute=1))}
        return bool(self.client.get(f"/event-types/{self.link}/slots", params=window).json["days"])

    def _done(self, call, status):
        answer = self.client.send(call.method, call.path, call.body)
        assert answer.status_code == status, answer.data
        return answer.json


@pytest.fixture(params=TEAMS)
def team(arena, request):
    return Team(arena, request.param)


def refusals(answers):
    return {(answer.status, answer.code) for answer in answers if answer.status >= 400}


def winners(answers):
    return [answer for answer in answers if answer.status < 400]


def test_of_guests_as_many_win_as_there_is_room(arena, team):
    def play(day):
        start = time_on(day, 10)
        answers = arena.race(team.guests(start, RIVALS), gate=GATE)
        assert tally(answers) == {201: team.room, (409, "slot_taken"): RIVALS - team.room}
        assert not team.offers(start)
        near = {slot["start"] for answer in answers if answer.status == 409 for slot in answer.json["slots"]}
        assert near
        assert text(start) not in near
        assert_whole(arena.database)

    arena.play(play)
    arena.mails()


def test_of_holders_as_many_win_as_there_is_room_and_a_hold_is_good_for_one_booking(arena, team):
    def play(day):
        start = time_on(day, 10)
        answers = arena.race([team.hold(start)] * RIVALS, gate=GATE)
        assert tally(answers) == {201: team.room, (409, "slot_taken"): RIVALS - team.room}
        assert_whole(arena.database)
        holds = [answer.json["hold"] for answer in winners(answers)]
        # Each hold is used by several at once, among some who have none.
        wishes = [{"hold": hold} for hold in holds] + [{}]
        rivals = islice(chain.from_iterable(zip(*map(repeat, wishes), strict=True)), RIVALS)
        answers = arena.race([team.book(start, **body) for body in rivals], gate=GATE)
        assert tally(answers) == {201: team.room, (409, "slot_taken"): RIVALS - team.room}
        assert arena.ask("SELECT id FROM holds") == []
        assert_whole(arena.database)

    arena.play(play)
    arena.mails()


def test_all_kinds_of_rivals_share_what_room_there_is(arena, team):
    def play(day):
        start, random = time_on(day, 10), Random(day)
        moving = [team.booked(start.replace(hour=hour)) for hour in (12, 14, 16)]
        calls = {
            "entry": [team.enter(random.choice(team.hosts), start) for _ in range(4)],
            "move": [team.move(booked, start) for booked in moving],
            "hold": [team.hold(start) for _ in range(6)],
            "guest": [team.book(start) for _ in range(RIVALS - 13)],
        }
        rivals = [(kind, call) for kind, of_kind in calls.items() for call in of_kind]
        random.shuffle(rivals)
        answers = arena.race([call for _, call in rivals], gate=GATE)
        assert refusals(answers) <= REFUSALS
        won = [kind for (kind, _), answer in zip(rivals, answers, strict=True) if answer.status < 400]
        if team.mode == "all" and "entry" in won:
            # One host who is busy keeps everybody from meeting, but not another host from being busy too.
            assert set(won) == {"entry"}
            assert len(won) <= len(team.hosts)
        else:
            assert len(won) == team.room
        assert not team.offers(start)
        assert_whole(arena.database)
        arena.ask("DELETE FROM holds RETURNING id")

    arena.play(play)
    arena.mails()


def test_guest_who_moves_keeps_the_old_time_or_has_the_new_one(arena, team):
    def play(day):
        target, hours = time_on(day, 1), range(2, 2 + RIVALS)
        booked = [team.booked(target.replace(hour=hour)) for hour in hours]
        answers = arena.race([team.move(one, target) for one in booked], gate=GATE)
        assert refusals(answers) <= REFUSALS
        # Who moves keeps the host: at least one of those whom `any` has booked comes first for each.
        assert len(winners(answers)) == team.room
        for one, answer, hour in zip(booked, answers, hours, strict=True):
            headers = {"Authorization": f"Bearer {one['manage_token']}"}
            seen = team.client.send("GET", f"/guest/bookings/{one['booking']['uid']}", headers=headers).json
            expected = target if answer.status == 200 else target.replace(hour=hour)
            assert seen["start_time"] == text(expected)
        assert_whole(arena.database)

    arena.play(play)
    arena.mails()


def test_time_that_is_given_back_is_taken_once(arena, team):
    def play(day):
        start = time_on(day, 10)
        booked = [team.booked(start) for _ in range(team.room)]
        leaving = [team.cancel(booked[0]), team.cancel(booked[0]), team.move(booked[-1], start.replace(hour=15))]
        rivals = [*leaving, *team.guests(start, RIVALS - len(leaving))]
        answers = arena.race(Random(day).sample(rivals, RIVALS), gate=GATE)
        taken = sum(answer.status == 201 for answer in answers)
        # One is cancelled once; who is not the same may have moved away too.
        left = sum(answer.status == 200 for answer in answers)
        assert {key for key in tally(answers) if key not in (200, 201)} <= REFUSALS | {(409, "booking_cancelled")}
        assert 1 <= left <= 2
        # Who was moved away first and cancelled then has left one time, not two.
        assert taken <= min(left, team.room)
        # Whoever comes later finds all that is left.
        answers = arena.race(team.guests(start, RIVALS), gate=GATE)
        confirmed = arena.ask(
            "SELECT DISTINCT uid FROM diary WHERE event_type_uid = %s AND start_time = %s AND status = 'confirmed'",
            team.link,
            start,
        )
        assert len(confirmed) == team.room
        assert refusals(answers) <= REFUSALS
        assert_whole(arena.database)

    arena.play(play)
    arena.mails()


def test_booking_of_a_guest_is_cancelled_once_whoever_cancels(arena, team):
    def play(day):
        booked = team.booked(time_on(day, 10))
        (row, *_) = arena.ask("SELECT id, user_id FROM diary WHERE uid = %s", booked["booking"]["uid"])
        host = next(host for host in team.hosts if host.id == row[1])
        of_host = Call("DELETE", f"/bookings/{row[0]}", token=host.token)
        answers = arena.race([team.cancel(booked), of_host] * (RIVALS // 2), gate=GATE)
        assert only(answers, 200).json["booking"]["version"] == 2
        assert refusals(answers) <= {(409, "booking_cancelled"), (404, "not_found")}
        assert_whole(arena.database)

    arena.play(play)
    arena.mails()


def test_hold_that_is_booked_and_let_go_at_once_leaves_one_of_both(arena, team):
    def play(day):
        start = time_on(day, 10)
        hold = team.held(start)
        release = Call("DELETE", f"/holds/{hold}")
        answers = arena.race(
            [call for _ in range(RIVALS // 2) for call in (release, team.book(start, hold=hold))], gate=GATE
        )
        booked = [answer for answer in answers if answer.status == 201]
        assert len(booked) == team.room
        assert refusals(answers) <= REFUSALS
        assert arena.ask("SELECT id FROM holds") == []
        assert_whole(arena.database)

    arena.play(play)
    arena.mails()


def test_holds_that_have_run_out_are_in_nobodys_way(arena, team):
    def play(day):
        start = time_on(day, 10)
        for hour in (9, 10, 11):
            team.held(start.replace(hour=hour))
        arena.ask("UPDATE holds SET expires_at = now() - interval '1 second' RETURNING id")
        rivals = [team.enter(host, start) for host in team.hosts] * 2 + team.guests(start, RIVALS)
        answers = arena.race(Random(day).sample(rivals[:RIVALS], RIVALS), gate=GATE)
        assert refusals(answers) <= REFUSALS
        assert winners(answers)
        assert not team.offers(start)
        assert_whole(arena.database)
        arena.ask("DELETE FROM holds RETURNING id")

    arena.play(play)
    arena.mails()
