"""Rivals for one address, one password, one set of tokens."""

from random import Random

import pytest

from tests.attack.racing import RIVALS, Call, only, open_arena, tally, writers_of
from tests.people import PASSWORD

GATE = writers_of("users")


@pytest.fixture(scope="module")
def arena(request, tmp_path_factory):
    with open_arena(request, tmp_path_factory.mktemp("arena")) as arena:
        yield arena


def mixed(address, seed):
    """Return an address in some mixture of upper and lower case."""
    choose = Random(seed).choice
    return "".join(choose((letter.lower(), letter.upper())) for letter in address)


def verify(token):
    return Call("GET", "/auth/verify", token=token)


def test_address_is_registered_once_however_it_is_spelt(arena):
    def play(number):
        address = f"wanted{number}@example.com"
        people = [{"name": f"Wanted {number}", "email": mixed(address, n), "password": PASSWORD} for n in range(RIVALS)]
        answers = arena.race([Call("POST", "/auth/register", person) for person in people], gate=GATE)
        assert tally(answers) == {201: 1, (400, "email_taken"): RIVALS - 1}
        assert only(answers, 201).json["user"]["email"] == address
        assert len(arena.ask("SELECT id FROM users WHERE lower(email) = %s", address)) == 1

    arena.play(play)
    mails = arena.mails()
    assert [mails[f"Welcome, Wanted {number}"] for number in arena.numbers] == [1] * len(arena.numbers)


def test_of_profiles_that_take_one_address_one_wins(arena):
    people = arena.people("Profile")

    def play(number):
        address = f"nice{number}@example.com"
        answers = arena.race(
            [Call("PATCH", "/users/me", {"email": mixed(address, n)}, one.token) for n, one in enumerate(people)],
            gate=GATE,
        )
        assert tally(answers) == {200: 1, (400, "email_taken"): RIVALS - 1}
        winner = only(answers, 200).json["user"]["id"]
        assert arena.ask("SELECT id FROM users WHERE email = %s", address) == [(winner,)]

    arena.play(play)
    assert arena.mails()["Your e-mail address was changed"] == len(arena.numbers)


def test_address_is_registered_or_taken_by_a_profile(arena):
    people = arena.people("Mover", RIVALS // 2)

    def play(number):
        address = f"contested{number}@example.com"
        newcomer = {"name": "Newcomer", "email": address, "password": PASSWORD}
        moves = [Call("PATCH", "/users/me", {"email": address}, person.token) for person in people]
        answers = arena.race([*moves, *[Call("POST", "/auth/register", newcomer)] * (RIVALS // 2)], gate=GATE)
        assert len([answer for answer in answers if answer.status < 400]) == 1
        assert tally(answers)[400, "email_taken"] == RIVALS - 1

    arena.play(play)


def test_people_who_swap_addresses_are_refused_and_not_failed(arena):
    people = arena.people("Swapper")

    def play(_):
        addresses = dict(arena.ask("SELECT id, email FROM users WHERE name = 'Swapper'"))
        partners = [people[number ^ 1] for number in range(RIVALS)]
        calls = [
            Call("PATCH", "/users/me", {"email": addresses[partner.id]}, person.token)
            for person, partner in zip(people, partners, strict=True)
        ]
        assert tally(arena.race(calls, gate=GATE)) == {(400, "email_taken"): RIVALS}

    arena.play(play)


def test_password_is_changed_once_and_kills_every_earlier_token(arena):
    def play(number):
        person = arena.stack.register("Changing")
        credentials = {"email": person.email, "password": PASSWORD}
        earlier = [person.token, person.post("/auth/login", credentials).json["token"]]
        calls = [
            Call(
                "PATCH",
                "/users/me/password",
                {"currentPassword": PASSWORD, "newPassword": f"new horse {n}"},
                earlier[n % 2],
            )
            for n in range(RIVALS)
        ]
        answers = arena.race(calls, gate=GATE)
        # Who is late enough is refused for the token, which is dead by then.
        assert {key for key in tally(answers) if key != 200} <= {(401, "wrong_password"), (401, "token_invalid")}
        token = only(answers, 200).json["token"]
        assert tally(arena.race([verify(token)] * RIVALS)) == {200: RIVALS}
        assert tally(arena.race([verify(one) for one in earlier] * 10)) == {(401, "token_invalid"): RIVALS}
        password = calls[[answer.status for answer in answers].index(200)].body["newPassword"]
        assert person.post("/auth/login", credentials).status_code == 401
        assert person.post("/auth/login", credentials | {"password": password}).status_code == 200

    arena.play(play)
    assert arena.mails()["Your password was changed"] == len(arena.numbers)


def test_no_request_is_served_after_its_token_was_revoked(arena):
    def play(number):
        person = arena.stack.register("Revoking")
        found = Call("POST", "/organizations", {"name": f"Team {number}"}, person.token)
        answers = arena.race([Call("POST", "/auth/revoke", token=person.token), *[found] * (RIVALS - 1)])
        assert tally(answers[:1]) == {200: 1}
        assert {key for key in tally(answers[1:]) if key != 201} <= {(401, "token_invalid")}
        served = len([answer for answer in answers if answer.status == 201])
        assert len(arena.ask("SELECT id FROM organizations WHERE owner_id = %s", person.id)) == served
        assert tally(arena.race([found] * RIVALS)) == {(401, "token_invalid"): RIVALS}
        assert len(arena.ask("SELECT id FROM organizations WHERE owner_id = %s", person.id)) == served

    arena.play(play)


def test_who_revoked_many_times_at_once_can_sign_in_again(arena):
    def play(_):
        person = arena.stack.register("Nervous")
        answers = arena.race([Call("POST", "/auth/revoke", token=person.token)] * RIVALS, gate=GATE)
        assert {key for key in tally(answers) if key != 200} <= {(401, "token_invalid")}
        signed_in = person.post("/auth/login", {"email": person.email, "password": PASSWORD})
        token = signed_in.json["token"]
        assert tally(arena.race([verify(token)] * RIVALS)) == {200: RIVALS}
        assert tally(arena.race([verify(person.token)] * RIVALS)) == {(401, "token_invalid"): RIVALS}

    arena.play(play)
