"""What PostgreSQL is asked, by its own account: as much for ten hosts and 62 days as for one host and a day."""

import re
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from scheduling.app import create_app
from scheduling.context import services
from tests.client import Client
from tests.people import Person, time_on
from tests.scheduling.appointments.guests import GUEST, book, guest, hold, text

HOSTS, DAYS = (1, 10), (1, 62)
# After so many times a statement is prepared, and goes by its name from then on.
WARM = 6
LITERALS = re.compile(r"ARRAY\[[^]]*\]|'(?:[^']|'')*'|\b\d+\b|\bNULL\b")


class Log:
    """What the one connection of an application was asked."""

    def __init__(self, pool):
        self.pool = pool
        self.messages = []
        with pool.connection() as connection, connection.cursor() as cursor:
            cursor.execute("SET log_statement = 'all'; SET client_min_messages = 'log'")

    @contextmanager
    def listening(self):
        """Keep what is asked meanwhile, without the values."""
        with self.pool.connection() as connection:
            connection.notices.clear()
        yield
        with self.pool.connection() as connection:
            self.messages = [LITERALS.sub("?", notice) for notice in connection.notices if "statement:" in notice]


@pytest.fixture
def app_of_one(settings):
    app = create_app(replace(settings, pool_size=1, holds_per_address=1000))
    yield app
    with app.app_context():
        services().database.close()


@pytest.fixture
def log(app_of_one):
    with app_of_one.app_context():
        return Log(services().database.pool)


@pytest.fixture
def watched(app_of_one, database):
    return Client(app_of_one.test_client())


@pytest.fixture
def links(client, database):
    """Return a person and a link by the number of hosts; every host has a full diary."""
    found = {}
    for number in HOSTS:
        hosts = [Person(client, "Host") for _ in range(number)]
        for host in hosts:
            host.schedule(is_default=True)
            for day in range(1, 6):
                host.booking(day=day, hour=8)
        more = {"organization_id": hosts[0].organization("Team", *hosts[1:]), "hosts": [host.id for host in hosts]}
        more |= {"assignment": "all"} if number > 1 else {}
        found[number] = hosts[0], hosts[0].event_type_uid(**more, horizon_days=730), more["organization_id"]
    return found


def heard(log, ask, status=200):
    """Return what a request asks of PostgreSQL when it is no longer the first of its kind."""
    for _ in range(WARM):
        assert ask().status_code == status
    with log.listening():
        answer = ask()
    assert answer.status_code == status, answer.text
    assert log.messages
    return log.messages


def window(days):
    return {"from": text(time_on(1, 0)), "to": text(time_on(1 + days, 0))}


def test_slots_take_as_many_statements_for_many_hosts_and_days_as_for_one(watched, log, links):
    asked = {
        (number, days): heard(
            log, lambda link=link, days=days: watched.get(f"/event-types/{link}/slots", query_string=window(days))
        )
        for number, (_, link, _) in links.items()
        for days in DAYS
    }
    assert len(asked[1, 1]) == 2
    assert all(messages == asked[1, 1] for messages in asked.values())


def test_common_times_take_as_many_statements_for_many_people_and_days_as_for_one(watched, log, links):
    def find(person, team, days):
        body = window(days) | {"organization_id": team, "duration_minutes": 30}
        return watched.with_token(person.token).post("/availability/find", body)

    asked = {
        (number, days): heard(log, lambda person=person, team=team, days=days: find(person, team, days))
        for number, (person, _, team) in links.items()
        for days in DAYS
    }
    assert len(asked[1, 1]) == 2
    assert all(messages == asked[1, 1] for messages in asked.values())


def test_explanation_takes_as_many_statements_for_many_hosts_as_for_one(watched, log, links):
    def explain(person, link):
        query = {"start": text(time_on(3, 12))}
        return watched.with_token(person.token).get(f"/event-types/{link}/explain", query_string=query)

    one, many = (
        heard(log, lambda person=person, link=link: explain(person, link)) for person, link, _ in links.values()
    )
    assert one == many
    assert len(one) == 3


@pytest.mark.parametrize("take", [book, hold])
def test_booking_takes_three_messages_for_many_hosts_as_for_one(watched, log, links, take):
    hours = iter(range(24 * 60))

    def take_next(link):
        return take(watched, link, time_on(7, next(hours)))

    one, many = (heard(log, lambda link=link: take_next(link), 201) for _, link, _ in links.values())
    assert one == many
    # What is locked and read, what is written, the end.
    assert len(one) == 3


def test_refusal_takes_as_many_statements_for_many_hosts_as_for_one(watched, log, links):
    one, many = (heard(log, lambda link=link: book(watched, link, time_on(3, 8)), 409) for _, link, _ in links.values())
    assert one == many
    # What is locked and read, the end, and what is free instead.
    assert len(one) == 3


def test_move_takes_as_many_statements_for_many_hosts_as_for_one(watched, log, links):
    def mover(link):
        ask_as_guest, hours = guest(watched, book(watched, link, time_on(7, 10))), iter(range(24))
        return lambda: ask_as_guest("PATCH", {"start": text(time_on(8, next(hours)))})

    one, many = (heard(log, mover(link)) for _, link, _ in links.values())
    assert one == many
    assert len(one) == 4


def entry_of(person, link, hour):
    """Return the path of a host's own entry of what a guest booked, which begins at an hour of the seventh day."""
    (entry,) = [entry for entry in person.get("/bookings").json if entry["start_time"] == text(time_on(7, hour))]
    return f"/bookings/{entry['id']}"


def test_change_by_a_host_takes_three_messages_for_many_hosts_as_for_one(watched, log, links):
    def mover(person, link):
        assert book(watched, link, time_on(7, 10)).status_code == 201
        path, hours = entry_of(person, link, 10), iter(range(11, 24))
        ask = watched.with_token(person.token)

        def move():
            hour = next(hours)
            start = time_on(8, hour)
            times = {"start": text(start), "end": text(start + timedelta(minutes=30))}
            return ask.patch(path, {"title": f"Talk at {hour}"} | times)

        return move

    one, many = (heard(log, mover(person, link)) for person, link, _ in links.values())
    assert one == many
    assert len(one) == 3


def test_cancellation_by_a_host_takes_three_messages_for_many_hosts_as_for_one(watched, log, links):
    def canceller(person, link):
        paths = []
        for hour in range(10, 10 + WARM + 1):
            assert book(watched, link, time_on(7, hour)).status_code == 201
            paths.append(entry_of(person, link, hour))
        return lambda: watched.with_token(person.token).delete(paths.pop())

    one, many = (heard(log, canceller(person, link)) for person, link, _ in links.values())
    assert one == many
    assert len(one) == 3


def test_change_and_cancellation_of_an_own_entry_take_two_messages(watched, log, links):
    person = links[1][0]
    entries = [person.booking(day=9, hour=hour)["id"] for hour in range(8, 8 + WARM + 1)]
    ask, titles = watched.with_token(person.token), iter("abcdefghij")
    assert len(heard(log, lambda: ask.patch(f"/bookings/{entries[0]}", {"title": next(titles)}))) == 2
    assert len(heard(log, lambda: ask.delete(f"/bookings/{entries.pop()}"))) == 2


def test_key_costs_a_guest_three_statements_and_the_repetition_as_few(watched, log, links):
    link, keys = links[1][1], iter(range(24 * 60))

    def book_under(key):
        body = GUEST | {"start": text(time_on(7, key))}
        return watched.post(f"/event-types/{link}/bookings", body, headers={"Idempotency-Key": str(key)})

    plain = heard(log, lambda: book(watched, link, time_on(7, next(keys))), 201)
    assert len(heard(log, lambda: book_under(next(keys)), 201)) == len(plain) + 3
    # The lock, the answer, the end.
    assert len(heard(log, lambda: book_under(10), 201)) == 3


def test_repetition_on_a_booked_hold_takes_no_more_statements_than_a_booking(watched, log, links):
    link = links[10][1]
    held = hold(watched, link, time_on(7, 10)).json["hold"]
    assert book(watched, link, time_on(7, 10), hold=held).status_code == 201
    assert len(heard(log, lambda: book(watched, link, time_on(7, 10), hold=held), 201)) <= 3
