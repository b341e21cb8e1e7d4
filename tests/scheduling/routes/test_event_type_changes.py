"""Change and delete event types: who may, and what is refused."""

import pytest

from tests.scheduling.answers import NOWHERE, assert_refused, nothing_written, rows
from tests.scheduling.offers import UNKNOWN, path_of
from tests.scheduling.rivals import meet


@pytest.fixture
def team(people):
    """Offer an organization of alice's to which bob belongs."""
    return people.alice.organization("Acme", people.bob)


@pytest.fixture
def joint(people, team):
    """Offer an event type of the organization, with alice and bob as hosts."""
    return people.alice.event_type(organization_id=team, hosts=[people.bob.id, people.alice.id], assignment="all")


CHANGES = {
    "title": "Walk",
    "description": "Two\nlines",
    "duration_minutes": 45,
    "slot_minutes": 10,
    "buffer_before_minutes": 1,
    "buffer_after_minutes": 2,
    "notice_minutes": 3,
    "horizon_days": 4,
    "daily_limit": 5,
    "assignment": "any",
    "is_active": False,
}


@pytest.mark.parametrize("name", CHANGES)
def test_change_leaves_the_rest_as_it_is(people, joint, name):
    answer = people.alice.patch(path_of(joint), {name: CHANGES[name]})
    assert answer.status_code == 200, answer.text
    changed = answer.json["event_type"]
    assert changed == joint | {name: CHANGES[name], "version": 2, "updated_at": changed["updated_at"]}
    assert people.alice.get(path_of(joint)).json == changed


def test_null_takes_a_limit_and_a_schedule_away(people):
    event_type = people.alice.event_type(daily_limit=3, schedule_id=people.alice.schedule()["id"])
    changed = people.alice.patch(path_of(event_type), {"daily_limit": None, "schedule_id": None}).json["event_type"]
    assert (changed["daily_limit"], changed["schedule_id"]) == (None, None)


def test_hosts_are_replaced(people, team, joint):
    changed = people.alice.patch(path_of(joint), {"hosts": [people.bob.id], "assignment": "one"}).json["event_type"]
    assert (changed["hosts"], changed["version"]) == ([people.bob.id], 2)
    assert people.alice.get(path_of(joint)).json["hosts"] == [people.bob.id]
    both = [people.alice.id, people.bob.id]
    assert people.alice.patch(path_of(joint), {"hosts": both, "assignment": "any"}).json["event_type"]["hosts"] == both


def test_merged_event_type_is_validated(people, database, team, joint):
    single = people.alice.event_type(organization_id=team)
    both = [people.alice.id, people.bob.id]
    with nothing_written(database):
        refused = people.alice.patch(path_of(joint), {"assignment": "one"}, headers={"If-Match": '"x"'})
        assert_refused(refused, 400, "validation_error", "/hosts")
        assert_refused(people.alice.patch(path_of(single), {"hosts": both}), 400, "validation_error", "/hosts")
    assert people.alice.patch(path_of(joint), {"assignment": "one", "hosts": both[:1]}).status_code == 200


def test_host_who_has_left_stays_until_hosts_are_given(people, team, joint):
    people.alice.delete(f"/organizations/{team}/members/{people.bob.id}")
    answer = people.alice.patch(path_of(joint), {"title": "New"})
    assert (answer.status_code, answer.json["event_type"]["hosts"]) == (200, joint["hosts"])
    refused = people.alice.patch(path_of(joint), {"hosts": joint["hosts"]})
    assert_refused(refused, 400, "validation_error", "/hosts")


@pytest.mark.parametrize("changes", [{}, {"organization_id": 1}, {"owner_id": 1, "uid": "x", "version": 7}])
def test_change_without_anything_that_can_change_is_refused(people, changes):
    assert_refused(people.alice.patch(path_of(people.alice.event_type()), changes), 400, "validation_error", "")


def test_what_nobody_may_assign_is_ignored(people, team):
    event_type = people.alice.event_type(id=7, uid=UNKNOWN, owner_id=people.bob.id, version=7)
    assert (event_type["owner_id"], event_type["version"]) == (people.alice.id, 1)
    assert event_type["uid"] != UNKNOWN
    changes = {"title": "New", "organization_id": team, "owner_id": people.bob.id, "uid": UNKNOWN}
    changed = people.alice.patch(path_of(event_type), changes).json["event_type"]
    assert {name: changed[name] for name in ("organization_id", "owner_id", "uid")} == {
        name: event_type[name] for name in ("organization_id", "owner_id", "uid")
    }


@pytest.mark.parametrize(("method", "changes"), [("PATCH", {"title": "Mine now"}), ("DELETE", None)])
def test_only_managers_may_write(people, database, joint, method, changes):
    own, bob, carol = people.alice.event_type(), people.bob, people.carol
    with nothing_written(database):
        for person, event_type in ((bob, joint), (carol, joint), (bob, own), (carol, own)):
            stale = {"If-Match": '"x"'}
            assert_refused(person.send(method, path_of(event_type), changes, headers=stale), 403, "forbidden")


def test_stranger_learns_nothing_of_the_row_by_a_change_that_would_be_refused(people, database, joint):
    carol = people.carol
    for changes in ({"assignment": "one"}, {"hosts": [carol.id]}, {"schedule_id": NOWHERE}):
        assert_refused(carol.patch(path_of(joint), changes), 403, "forbidden")


def test_deleted_event_type_is_not_there(people, database, joint):
    answer = people.alice.delete(path_of(joint))
    assert (answer.status_code, answer.json.keys()) == (200, {"message"})
    assert_refused(people.alice.get(path_of(joint)), 404, "not_found")
    assert_refused(people.alice.delete(path_of(joint)), 404, "not_found")
    assert rows(database, "SELECT count(*) FROM event_type_hosts")[0]["count"] == 0


def test_of_two_changes_that_contradict_each_other_one_is_refused(app, settings, people, team):
    event_type = people.alice.event_type(organization_id=team, assignment="any")
    both = [people.alice.id, people.bob.id]
    changes = ({"hosts": both}, {"assignment": "one"})
    calls = [(people.alice, "PATCH", path_of(event_type), change) for change in changes]
    answers = meet(app, settings, "event_types", calls)
    assert sorted(answer.status_code for answer in answers) == [200, 400]
    left = people.alice.get(path_of(event_type)).json
    assert (left["assignment"], left["hosts"]) in (("any", both), ("one", [people.alice.id]))


def test_changes_at_once_are_all_kept(app, settings, people):
    event_type = people.alice.event_type()
    changes = [{"title": "New"}, {"description": "New"}, {"daily_limit": 1}, {"horizon_days": 1}]
    calls = [(people.alice, "PATCH", path_of(event_type), change) for change in changes]
    answers = meet(app, settings, "event_types", calls)
    assert [answer.status_code for answer in answers] == [200] * 4
    left = people.alice.get(path_of(event_type)).json
    assert all(left[name] == value for change in changes for name, value in change.items())
    assert left["version"] == 5
