"""Whatever the rules, the diary and the clock: what is offered can be had, and what is refused is explained."""

from datetime import UTC, datetime, timedelta
from itertools import chain
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from scheduling.availability.rules import Rule
from tests.databases import ask
from tests.people import Person, time_on
from tests.scheduling.appointments.claims import assert_whole
from tests.scheduling.appointments.guests import book, codes, guest, hold, slots, starts, text
from tests.scheduling.availability.transitions import changes

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
WEEK = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati", "Pacific/Niue"]
TAKEN = {"buffer", "busy", "held"}

few = settings(
    max_examples=30,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)

hours = st.sampled_from([("00:00", "24:00"), ("00:00", "24:00"), ("09:00", "12:10"), ("13:00", "21:00")])
quarters = st.integers(0, 3 * 96).map(lambda number: time_on(2, 0) + number * 15 * MINUTE)


def book_as_another(client, link, start):
    """Book as a guest who has not booked before: nobody books a start twice."""
    return book(client, link, start, email=f"{uuid4().hex}@example.com")


ways = st.sampled_from([book_as_another, hold])


class World:
    """Hosts with diaries, and a link to them, as hypothesis has invented them."""

    def __init__(self, client, database, data):
        ask(database, "DELETE FROM users")
        self.client = client
        draw = data.draw
        assignment = draw(st.sampled_from(["one", "any", "all"]))
        number = 1 if assignment == "one" else draw(st.integers(2, 3))
        self.hosts = [Person(client, "Host") for _ in range(number)]
        for host in self.hosts:
            rules = [{"days": WEEK, "start": start, "end": end} for start, end in [draw(hours)]]
            dates = draw(st.sets(st.integers(1, 5), max_size=1))
            overrides = [{"date": time_on(day, 0).date().isoformat(), "intervals": []} for day in dates]
            host.schedule(time_zone=draw(st.sampled_from(ZONES)), rules=rules, overrides=overrides, is_default=True)
        more = {"organization_id": self.hosts[0].organization("Team", *self.hosts[1:])} if number > 1 else {}
        self.link = self.hosts[0].event_type(
            assignment=assignment,
            hosts=[host.id for host in self.hosts],
            duration_minutes=draw(st.sampled_from([15, 30, 50])),
            slot_minutes=draw(st.sampled_from([15, 30, 50])),
            buffer_before_minutes=draw(st.sampled_from([0, 10])),
            buffer_after_minutes=draw(st.sampled_from([0, 20])),
            notice_minutes=draw(st.sampled_from([0, 0, 3 * 24 * 60])),
            horizon_days=draw(st.sampled_from([4, 60])),
            daily_limit=draw(st.sampled_from([None, None, 1])),
            **more,
        )["uid"]
        for _ in range(draw(st.integers(0, 3))):
            start, exclusive = draw(quarters), draw(st.booleans())
            end = start + draw(st.sampled_from([15, 60, 3000])) * MINUTE
            host = draw(st.sampled_from(self.hosts))
            host.post("/bookings", {"title": "x", "start": text(start), "end": text(end), "exclusive": exclusive})
        for take in draw(st.lists(ways, max_size=3)):
            offered = self.offered()
            if offered:
                assert take(client, self.link, draw(st.sampled_from(offered))).status_code == 201

    def offered(self, start=None, days=3):
        """Return the starts that are offered."""
        start = start or time_on(2, 0)
        found = starts(slots(self.client, self.link, start, start + days * DAY))
        return [datetime.fromisoformat(each) for each in found]

    def explanation(self, start):
        """Return what hosts are told about a start."""
        answer = self.hosts[-1].get(f"/event-types/{self.link}/explain", query_string={"start": text(start)})
        assert answer.status_code == 200, answer.text
        return answer.json

    def free(self, start):
        """Return the ids of the hosts whom no rule refuses."""
        return {host["user_id"] for host in self.explanation(start)["hosts"] if host["bookable"]}


@given(st.data())
@few
def test_every_slot_that_is_offered_can_be_had_and_is_gone(client, database, data):
    world = World(client, database, data)
    for _ in range(3):
        offered = world.offered()
        if not offered:
            break
        start, take = (
            data.draw(st.sampled_from(offered)),
            data.draw(ways),
        )
        free, is_any = world.free(start), len(world.hosts) > 1
        answer = take(client, world.link, start)
        assert answer.status_code == 201, answer.text
        taken = free - world.free(start)
        assert len(taken) == 1 or taken == {host.id for host in world.hosts}
        still_offered = start in world.offered()
        assert still_offered == (is_any and len(taken) == 1 and len(free) > 1)
        assert_whole(database)


@given(st.data())
@few
def test_refusal_names_exactly_the_rules_that_explain_names(client, database, data):
    world = World(client, database, data)
    somewhere = st.integers(0, 6 * 288).map(lambda number: time_on(0, 22) + number * 5 * MINUTE)
    for start in data.draw(st.lists(st.one_of(somewhere, quarters), min_size=4, max_size=8)):
        explanation = world.explanation(start)
        failed = [{rule["code"] for rule in host["rules"] if not rule["passed"]} for host in explanation["hosts"]]
        answer = data.draw(ways)(client, world.link, start)
        if explanation["bookable"]:
            assert answer.status_code == 201, answer.text
            continue
        assert codes(answer) == [rule for rule in Rule if rule in set(chain.from_iterable(failed))]
        is_taken = any(rules & TAKEN and rules <= TAKEN | {"daily_limit"} for rules in failed)
        assert (answer.status_code, answer.json["code"]) == ((409, "slot_taken") if is_taken else (400, "not_bookable"))
        if is_taken:
            free = world.offered(start - 14 * DAY, days=28)
            near = sorted(sorted(free, key=lambda each: (abs(each - start), each))[:3])
            assert [slot["start"] for slot in answer.json["slots"]] == [text(each) for each in near]
    assert_whole(database)


class Crowd:
    """What guests and hosts of a world may do next; each does it at a start, and returns the answer if there is one."""

    def __init__(self, world, database, data):
        self.world, self.database, self.draw = world, database, data.draw
        self.guests, self.holds = [], []
        self.actions = (self.book, self.book, self.hold, self.enter, self.move, self.change, self.cancel, self.redefine)

    def book(self, start):
        """Book as a guest, with a hold or without."""
        chosen = self.draw(st.sampled_from([None, *self.holds]))
        answer = book(self.world.client, self.world.link, start, hold=chosen)
        if answer.status_code == 201:
            self.guests.append(guest(self.world.client, answer))
        return answer

    def hold(self, start):
        """Hold a time."""
        answer = hold(self.world.client, self.world.link, start)
        if answer.status_code == 201:
            self.holds.append(answer.json["hold"])
        return answer

    def enter(self, start):
        """Take a time of one's own diary."""
        body = {"title": "x", "start": text(start), "end": text(start + 45 * MINUTE), "exclusive": True}
        return self.draw(st.sampled_from(self.world.hosts)).post("/bookings", body)

    def move(self, start):
        """Move as a guest."""
        return self.draw(st.sampled_from(self.guests))("PATCH", {"start": text(start)}) if self.guests else None

    def change(self, start):
        """Move an entry, or the booking of a guest, as a host."""
        host = self.draw(st.sampled_from(self.world.hosts))
        times = {"start": text(start), "end": text(start + self.draw(st.sampled_from([30, 90])) * MINUTE)}
        entries = [entry["id"] for entry in host.get("/bookings").json]
        return host.patch(f"/bookings/{self.draw(st.sampled_from(entries))}", times) if entries else None

    def cancel(self, _):
        """Cancel as a guest."""
        return self.draw(st.sampled_from(self.guests))("DELETE") if self.guests else None

    def redefine(self, _):
        """Change what is offered; what is held keeps its old buffers, which no row tells."""
        rules = {"duration_minutes": self.draw(st.sampled_from([15, 120])), "buffer_before_minutes": 25}
        is_held = ask(self.database, "SELECT id FROM holds")
        return None if is_held else self.world.hosts[0].patch(f"/event-types/{self.world.link}", rules)


@given(st.data())
@few
def test_nobody_is_ever_booked_twice(client, database, data):
    world = World(client, database, data)
    crowd = Crowd(world, database, data)
    for act in data.draw(st.lists(st.sampled_from(crowd.actions), min_size=5, max_size=12)):
        offered = [*world.offered(), time_on(3, 12)]
        answer = act(data.draw(st.one_of(st.sampled_from(offered), quarters)))
        assert answer is None or answer.status_code in (200, 201, 400, 409), answer.text
        assert_whole(database)


# The changes of a clock, over HTTP


def next_change(name, forward):
    """Return the instant and the local date of the next change of a clock, forward or back."""
    zone = ZoneInfo(name)
    for moment in changes(zone):
        gained = moment.astimezone(zone).utcoffset() - (moment - MINUTE).astimezone(zone).utcoffset()
        if moment > datetime.now(UTC) + 2 * DAY and (gained > timedelta()) == forward:
            return moment, moment.astimezone(zone).date()
    raise AssertionError


def offer(person, zone, start, end, **more):
    rules = [{"days": WEEK, "start": start, "end": end}]
    schedule = person.schedule(time_zone=zone, rules=rules)
    return person.event_type(schedule_id=schedule["id"], horizon_days=730, **more)["uid"]


def local_starts(client, link, day, zone):
    middle = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    days = slots(client, link, middle - DAY, middle + DAY, zone)["days"]
    (found,) = [each["slots"] for each in days if each["date"] == day.isoformat()]
    return found


GAPS = {
    "Europe/Berlin": "01:00+01 01:30+01 03:00+02 03:30+02 04:00+02 04:30+02",
    "America/New_York": "01:00-05 01:30-05 03:00-04 03:30-04 04:00-04 04:30-04",
}
FOLDS = {
    "Europe/Berlin": "01:00+02 01:30+02 02:00+02 02:30+02 02:00+01 02:30+01 03:00+01 03:30+01 04:00+01 04:30+01",
    "America/New_York": "01:00-04 01:30-04 01:00-05 01:30-05 02:00-05 02:30-05 03:00-05 03:30-05 04:00-05 04:30-05",
}


@pytest.mark.parametrize("zone", GAPS)
@pytest.mark.parametrize("forward", [True, False], ids=["gap", "fold"])
def test_weekly_hours_are_those_of_the_wall_clock_when_it_changes(client, people, database, zone, forward):
    _, day = next_change(zone, forward=forward)
    link = offer(people.alice, zone, "01:00", "05:00")
    offered = local_starts(client, link, day, zone)
    shown = " ".join(slot["local_start"][11:16] + slot["local_start"][19:22] for slot in offered)
    assert shown == (GAPS if forward else FOLDS)[zone]
    for slot in offered:
        start, end = (datetime.fromisoformat(slot[name]) for name in ("start", "end"))
        assert end - start == 30 * MINUTE
        assert book(client, link, start).status_code == 201
    assert_whole(database)


@pytest.mark.parametrize(("forward", "length"), [(True, 23), (False, 25)])
def test_day_has_as_many_hours_as_the_clock_gives_it(client, people, forward, length):
    _, day = next_change("Europe/Berlin", forward=forward)
    link = offer(people.alice, "Europe/Berlin", "00:00", "24:00", duration_minutes=60, slot_minutes=60)
    assert len(local_starts(client, link, day, "Europe/Berlin")) == length


def test_hours_that_do_not_exist_are_read_with_the_offset_before_the_gap(client, people):
    moment, day = next_change("Europe/Berlin", forward=True)
    link = offer(people.alice, "Europe/Berlin", "02:00", "02:30")
    (slot,) = local_starts(client, link, day, "Europe/Berlin")
    assert slot["start"] == text(moment)
    assert slot["local_start"][11:16] == "03:00"


def test_hours_that_exist_twice_are_the_first(client, people):
    moment, day = next_change("Europe/Berlin", forward=False)
    link = offer(people.alice, "Europe/Berlin", "02:00", "02:30")
    (slot,) = local_starts(client, link, day, "Europe/Berlin")
    assert slot["start"] == text(moment - timedelta(hours=1))
    refused = book(client, link, moment)
    assert (refused.status_code, codes(refused)) == (400, ["outside_hours"])


# The edges


def test_longest_buffers_are_seen_from_as_far_away_as_they_reach(client, people):
    schedule = people.alice.schedule(time_zone="UTC", rules=[{"days": WEEK, "start": "00:00", "end": "24:00"}])
    late = people.alice.event_type(schedule_id=schedule["id"], buffer_before_minutes=1440)["uid"]
    long = people.alice.event_type(schedule_id=schedule["id"], duration_minutes=1440, buffer_after_minutes=1440)["uid"]
    assert book(client, late, time_on(5, 12)).status_code == 201
    # The one reaches from the 3rd to the 5th day, the other from noon of the 4th.
    assert starts(slots(client, long, time_on(3, 0), time_on(3, 1))) == []
    refused = book(client, long, time_on(3, 0))
    assert (refused.status_code, codes(refused)) == (409, ["buffer"])
