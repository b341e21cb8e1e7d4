"""Rivals for one membership, and for an organization that is about to go."""

import pytest

from tests.attack.racing import RIVALS, Call, only, open_arena, tally, writers_of

GATE = writers_of("organization_members")


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


@pytest.fixture(scope="module")
def crowd(arena):
    return arena.people("Crowd")


def add(owner, team, person):
    return Call("POST", f"/organizations/{team}/members", {"email": person.email}, owner.token)


def delete(owner, team):
    return Call("DELETE", f"/organizations/{team}", token=owner.token)


def remove(caller, team, person):
    return Call("DELETE", f"/organizations/{team}/members/{person.id}", token=caller.token)


def row_of(team):
    """Return the gate that holds whoever changes or deletes an organization, or refers to it."""
    return f"SELECT FROM organizations WHERE id = {team} FOR UPDATE"


def rows_of_members(team):
    """Return the gate that holds whoever removes a member."""
    return f"SELECT FROM organization_members WHERE organization_id = {team} FOR UPDATE"


def invitations(arena, team):
    """Return how many notifications and how many mails tell of an organization."""
    about = "(metadata ->> 'organization_id')::bigint = %s"
    mails = "SELECT id FROM emails WHERE kind = 'ORG_INVITE' AND (data ->> 'organization_id')::bigint = %s"
    return len(arena.ask(f"SELECT id FROM notifications WHERE {about}", team)), len(arena.ask(mails, team))


def members(arena, team):
    return len(arena.ask("SELECT id FROM organization_members WHERE organization_id = %s", team))


def test_person_is_added_once(arena, alice, bob):
    def play(number):
        team = alice.organization(f"Team {number}")
        answers = arena.race([add(alice, team, bob)] * RIVALS, gate=GATE)
        assert tally(answers) == {201: 1, (400, "already_member"): RIVALS - 1}
        assert members(arena, team) == 2
        assert invitations(arena, team) == (1, 1)

    arena.play(play)
    mails = arena.mails()
    assert [mails[f"You have been added to Team {number}"] for number in arena.numbers] == [1] * len(arena.numbers)


def test_members_of_a_deleted_organization_were_added_before_or_not_at_all(arena, alice, crowd):
    deleted_first = []

    def play(number):
        team = alice.organization(f"Doomed {number}")
        # The deletion starts somewhere in the middle, not always first or last.
        calls = [add(alice, team, person) for person in crowd[1:]]
        calls.insert(number % RIVALS, delete(alice, team))
        answers = arena.race(calls, gate=row_of(team))
        deletion = answers.pop(number % RIVALS)
        assert tally([deletion]) == {200: 1}
        assert {key for key in tally(answers) if key != 201} <= {(404, "not_found")}
        added = tally(answers).get(201, 0)
        deleted_first.append(RIVALS - 1 - added)
        assert members(arena, team) == 0
        assert invitations(arena, team) == (added, added)
        assert alice.get(f"/organizations/{team}").status_code == 404

    arena.play(play)
    assert any(deleted_first), "every member was added before: nothing was tried"


def test_organization_is_deleted_once(arena, alice):
    def play(number):
        team = alice.organization(f"Team {number}")
        answers = arena.race([delete(alice, team)] * RIVALS, gate=row_of(team))
        assert tally(answers) == {200: 1, (404, "not_found"): RIVALS - 1}

    arena.play(play)


def test_owner_who_is_too_late_to_rename_is_told_that_it_is_gone(arena, alice):
    def play(number):
        team = alice.organization(f"Team {number}")
        rename = Call("PATCH", f"/organizations/{team}", {"name": "Renamed"}, alice.token)
        answers = arena.race(
            [*[rename] * (RIVALS // 2), delete(alice, team), *[rename] * (RIVALS // 2 - 1)],
            gate=row_of(team),
        )
        assert only(answers[RIVALS // 2 :][:1], 200)
        assert {key for key in tally(answers) if key != 200} <= {(404, "not_found")}

    arena.play(play)


def test_member_is_removed_once_by_owner_or_themselves(arena, alice, bob):
    def play(number):
        team = alice.organization(f"Team {number}", bob)
        answers = arena.race(
            [remove(alice, team, bob), remove(bob, team, bob)] * (RIVALS // 2),
            gate=rows_of_members(team),
        )
        assert tally(answers) == {200: 1, (404, "not_found"): RIVALS - 1}
        assert members(arena, team) == 1

    arena.play(play)


def test_member_who_is_added_and_removed_in_turns_is_told_of_every_time(arena, alice, bob):
    def play(number):
        team = alice.organization(f"Team {number}")
        answers = arena.race(
            [add(alice, team, bob), remove(alice, team, bob)] * (RIVALS // 2),
            gate=GATE,
        )
        assert {key for key in tally(answers) if key not in (200, 201)} <= {(400, "already_member"), (404, "not_found")}
        added, removed = tally(answers)[201], tally(answers).get(200, 0)
        assert invitations(arena, team) == (added, added)
        assert members(arena, team) == 1 + added - removed

    arena.play(play)
