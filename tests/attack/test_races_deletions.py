"""What is offered is deleted while guests book it on their holds, move and cancel: nobody waits for each other."""

from random import Random

import pytest

from tests.attack.racing import RIVALS, Call, only, open_arena, writers_of
from tests.people import time_on
from tests.scheduling.appointments.claims import assert_whole
from tests.scheduling.appointments.guests import GUEST, text

GATE = writers_of("bookings", "holds")
ROUNDS_EACH = 5
# What is deleted is not there; who comes in time has booked, and what was booked can be cancelled or moved by its host.
ANSWERS = {200, 201, (404, "not_found"), (400, "not_bookable")}
ANSWERS |= {(409, code) for code in ("slot_taken", "booking_cancelled", "booking_conflict")}


@pytest.fixture(scope="module")
def arena(request, tmp_path_factory):
    with open_arena(request, tmp_path_factory.mktemp("arena")) as arena:
        yield arena


class Offer:
    """An event type of a team, with bookings and holds, some of which have run out."""

    def __init__(self, arena, hosts, day):
        self.arena, self.owner, self.hosts = arena, hosts[0], hosts
        self.team = self.owner.organization("Team", *hosts[1:])
        about = {"assignment": "all", "hosts": [host.id for host in hosts], "organization_id": self.team}
        self.link = self.owner.event_type_uid(horizon_days=730, **about)
        self.times = [time_on(day, hour) for hour in range(1, 15)]
        self.booked = [self._made(self.book(start)) for start in self.times[:4]]
        self.held = [(start, self._made(self.hold(start))["hold"]) for start in self.times[4:]]
        late = [uid for _, uid in self.held[-3:]]
        arena.ask("UPDATE holds SET expires_at = now() - interval '1 second' WHERE uid = ANY(%s) RETURNING id", late)

    def book(self, start, **more):
        """Return the request of a guest."""
        return Call("POST", f"/event-types/{self.link}/bookings", GUEST | {"start": text(start)} | more)

    def hold(self, start):
        """Return the request of a holder."""
        return Call("POST", f"/event-types/{self.link}/holds", {"start": text(start)})

    def rivals(self, deletion):
        """Return what is asked for at once: twice the deletion, and a change of all that hangs on it."""
        first, second, third, fourth = self.booked
        hours = {"start": text(self.times[-1].replace(hour=20)), "end": text(self.times[-1].replace(hour=21))}
        return [
            *[Call("DELETE", deletion, token=self.owner.token)] * 2,
            *[self.book(start, hold=uid) for start, uid in self.held],
            self.hold(self.times[0].replace(hour=22)),
            self._as_guest("DELETE", first),
            self._as_guest("PATCH", second, {"start": text(self.times[0].replace(hour=18))}),
            Call("PATCH", f"/bookings/{self._own(third)}", hours, self.hosts[1].token),
            Call("DELETE", f"/bookings/{self._own(fourth)}", token=self.hosts[1].token),
            Call("DELETE", f"/holds/{self.held[0][1]}"),
            self._entry(self.hosts[1], 22),
            self._entry(self.hosts[2], 23),
        ][:RIVALS]

    def _entry(self, host, hour):
        start = self.times[0].replace(hour=hour)
        body = {"title": "Dentist", "start": text(start), "end": text(start.replace(minute=30)), "exclusive": True}
        return Call("POST", "/bookings", body, host.token)

    def _own(self, booked):
        ((number,),) = self.arena.ask(
            "SELECT id FROM diary WHERE uid = %s AND user_id = %s", booked["booking"]["uid"], self.hosts[1].id
        )
        return number

    def _as_guest(self, method, booked, body=None):
        token = {"Authorization": f"Bearer {booked['manage_token']}"}
        return Call(method, f"/guest/bookings/{booked['booking']['uid']}", body, headers=token)

    def _made(self, call):
        answer = self.arena.stack.client.send(call.method, call.path, call.body)
        assert answer.status_code == 201, answer.data
        return answer.json


@pytest.mark.parametrize("what", ["event type", "organization"])
def test_deletion_and_bookings_on_its_holds_never_wait_for_each_other(arena, what):
    hosts = arena.people("Host", 3)

    def play(number):
        for part in range(ROUNDS_EACH):
            offer = Offer(arena, hosts, number * ROUNDS_EACH + part)
            deletion = f"/event-types/{offer.link}" if what == "event type" else f"/organizations/{offer.team}"
            calls = offer.rivals(deletion)
            order = Random(number * ROUNDS_EACH + part).sample(range(len(calls)), len(calls))
            answers = arena.race([calls[place] for place in order], gate=GATE)
            keys = {answer.status if answer.status < 400 else (answer.status, answer.code) for answer in answers}
            assert keys <= ANSWERS
            of_deletion = [answer for answer, place in zip(answers, order, strict=True) if place < 2]
            only(of_deletion, 200)
            assert arena.ask("SELECT id FROM event_types WHERE uid = %s", offer.link) == []
            assert arena.ask("SELECT id FROM holds WHERE expires_at > now()") == []
            assert_whole(arena.database)

    arena.play(play)
    arena.mails()
