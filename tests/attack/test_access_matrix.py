"""Every route, asked by every kind of caller: who is refused gets the right status and changes nothing."""

import sys
from types import SimpleNamespace

import pytest
from flask import Blueprint, Flask

from scheduling.app import create_app
from scheduling.policies.access import public, require_policies
from tests.access import KINDS
from tests.attack.matrix import CELLS, REQUESTS, misdescribed
from tests.attack.world import DIARY, OF_ALICE, TEAM, World


@pytest.fixture(scope="module")
def world(app, connection):
    world = World(app, connection)
    yield world
    world.leave()


def expected(kind, call):
    return call.policy.answers[KINDS.index(kind)] or call.success


@pytest.mark.parametrize(("method", "path", "call"), REQUESTS, ids=[f"{method} {path}" for method, path, _ in REQUESTS])
def test_caller_is_answered_by_the_policy_and_a_refusal_changes_nothing(world, method, path, call):
    wrong = []
    for kind in KINDS:
        before, of_alice = world.rows(), world.rows(OF_ALICE)
        answer = world.send(kind, method, path, call)
        after = world.rows()
        if answer.status_code != expected(kind, call):
            wrong.append(f"{kind}: {answer.status_code} and not {expected(kind, call)}: {answer.text}")
        if (answer.status_code >= 400 or method in ("GET", "HEAD")) and after != before:
            wrong.append(f"{kind}: {answer.status_code}, but rows have changed")
        if kind != "owner" and world.rows(OF_ALICE) != of_alice:
            wrong.append(f"{kind}: rows of the owner have changed")
        if kind != "owner" and DIARY in answer.text:
            wrong.append(f"{kind} reads the owner's diary")
        if kind in ("anonymous", "stranger", "platform admin") and TEAM in answer.text:
            wrong.append(f"{kind} reads what belongs to the team")
        if after != before:
            world.put_back()
    assert wrong == []


def test_matrix_describes_every_route_as_it_declares_itself(app, capsys):
    for route, what in misdescribed(app).items():
        pytest.fail(f"{route}: {what}")
    with capsys.disabled():
        sys.stdout.write(f"\naccess matrix: {len(REQUESTS)} requests x {len(KINDS)} kinds = {CELLS} cells\n")


def test_owner_can_do_and_see_what_the_others_cannot(world):
    owner = world.people["owner"]
    for path, secret in (("/bookings", DIARY), ("/notifications", DIARY), ("/organizations", TEAM)):
        assert secret in owner.get(path).text


def test_changed_row_is_noticed_and_put_back(world):
    before = world.rows()
    assert world.people["owner"].book(day=9).status_code == 201
    changed = {table for table in before if world.rows()[table] != before[table]}
    assert changed == {"bookings", "notifications", "emails"}
    world.put_back()
    assert world.rows() == before


def test_route_that_nobody_described_is_found(app):
    grown = Flask("grown", static_folder=None)
    grown.url_map = app.url_map
    grown.view_functions = app.view_functions
    assert misdescribed(grown) == {}

    other = Flask("other", static_folder=None)
    other.add_url_rule("/backdoor", "backdoor", public(lambda: "welcome"))
    assert "GET /backdoor" in misdescribed(other)


def test_application_does_not_start_with_a_route_that_declares_no_policy(settings, monkeypatch):
    blueprint = Blueprint("docs", "backdoor")
    blueprint.add_url_rule("/backdoor", "enter", lambda: "welcome")
    monkeypatch.setattr("scheduling.app.docs", SimpleNamespace(blueprint=blueprint))
    with pytest.raises(RuntimeError, match=r"/backdoor \(docs\.enter\) does not say who may call it"):
        create_app(settings)


def test_what_flask_adds_by_itself_needs_no_policy(tmp_path):
    app = Flask("served", static_folder=tmp_path)
    require_policies(app)
    app.add_url_rule("/backdoor", "backdoor", lambda: "welcome")
    with pytest.raises(RuntimeError, match="/backdoor"):
        require_policies(app)
