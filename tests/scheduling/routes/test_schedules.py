"""Schedules: weekly hours, and dates with other hours."""

import pytest

from tests.scheduling.answers import NOWHERE, assert_refused, nothing_written, rows, without_request_id
from tests.scheduling.rivals import meet

SCHEDULE = {"id", "name", "time_zone", "is_default", "rules", "overrides", "version", "created_at", "updated_at"}
MORNING = {"start": "09:00", "end": "12:00"}
MONDAYS = {"days": ["MO"]} | MORNING
DAY_OFF = {"date": "2030-12-24", "intervals": []}


def body(**more):
    return {"name": "Office", "time_zone": "Europe/Berlin", "rules": [MONDAYS]} | more


def defaults(person):
    return [schedule["id"] for schedule in person.get("/schedules").json if schedule["is_default"]]


def test_schedule_is_answered_as_it_was_written(people):
    rules = [MONDAYS, {"days": ["SU", "SA"], "start": "00:00", "end": "24:00"}]
    overrides = [DAY_OFF, {"date": "2028-02-29", "intervals": [MORNING, {"start": "23:59", "end": "24:00"}]}]
    answer = people.alice.post("/schedules", body(rules=rules, overrides=overrides))
    assert answer.status_code == 201
    assert answer.json.keys() == {"message", "schedule"}
    schedule = answer.json["schedule"]
    assert schedule.keys() == SCHEDULE
    assert (schedule["name"], schedule["time_zone"], schedule["version"]) == ("Office", "Europe/Berlin", 1)
    assert (schedule["rules"], schedule["overrides"]) == (rules, overrides)
    assert schedule["created_at"] == schedule["updated_at"]
    assert people.alice.get(f"/schedules/{schedule['id']}").json == schedule
    assert people.alice.get("/schedules").json == [schedule]


def test_schedule_without_hours_and_dates_is_one(people):
    assert people.alice.schedule(rules=[])["overrides"] == []


# The default


def test_first_schedule_is_the_default_and_the_second_is_not(people):
    first = people.alice.schedule(is_default=False)
    assert first["is_default"]
    assert not people.alice.schedule()["is_default"]
    assert people.bob.schedule()["is_default"]
    assert defaults(people.alice) == [first["id"]]


def test_new_default_takes_it_from_the_old_one(people):
    others = people.bob.schedule()
    old = people.alice.schedule()
    new = people.alice.schedule(is_default=True)
    assert defaults(people.alice) == [new["id"]]
    answer = people.alice.patch(f"/schedules/{old['id']}", {"is_default": True})
    assert (answer.status_code, answer.json["schedule"]["is_default"]) == (200, True)
    assert defaults(people.alice) == [old["id"]]
    assert people.bob.get(f"/schedules/{others['id']}").json == others


def test_schedule_that_is_no_default_any_more_has_another_version(people):
    old = people.alice.schedule()
    people.alice.schedule(is_default=True)
    assert people.alice.get(f"/schedules/{old['id']}").json["version"] == old["version"] + 1


def test_default_can_be_given_up_or_deleted_and_then_there_is_none(people):
    first, second = people.alice.schedule(), people.alice.schedule()
    people.alice.patch(f"/schedules/{first['id']}", {"is_default": False})
    assert defaults(people.alice) == []
    people.alice.patch(f"/schedules/{second['id']}", {"is_default": True})
    assert people.alice.delete(f"/schedules/{second['id']}").status_code == 200
    assert not people.alice.schedule()["is_default"]
    assert defaults(people.alice) == []


def test_schedule_after_the_last_one_was_deleted_is_the_default_again(people):
    people.alice.delete(f"/schedules/{people.alice.schedule()['id']}")
    assert people.alice.schedule()["is_default"]


def test_of_several_who_become_the_default_at_once_one_is_it(app, settings, people):
    people.alice.schedule()
    paths = [f"/schedules/{people.alice.schedule()['id']}" for _ in range(4)]
    new = body(is_default=True)
    calls = [(people.alice, "PATCH", path, {"is_default": True}) for path in paths]
    calls += [(people.alice, "POST", "/schedules", new)] * 2
    answers = meet(app, settings, "schedules", calls)
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 201, 201]
    assert len(defaults(people.alice)) == 1


def test_of_several_first_schedules_at_once_one_is_the_default(app, settings, people):
    answers = meet(app, settings, "users", [(people.alice, "POST", "/schedules", body())] * 5)
    assert [answer.json["schedule"]["is_default"] for answer in answers].count(True) == 1
    assert len(defaults(people.alice)) == 1


# Changes

CHANGES = {
    "name": "Winter",
    "time_zone": "America/New_York",
    "rules": [],
    "overrides": [DAY_OFF],
    "is_default": False,
}


@pytest.mark.parametrize("name", CHANGES)
def test_change_leaves_the_rest_as_it_is(people, name):
    schedule = people.alice.schedule()
    answer = people.alice.patch(f"/schedules/{schedule['id']}", {name: CHANGES[name]})
    assert answer.status_code == 200
    changed = answer.json["schedule"]
    assert changed["updated_at"] > schedule["updated_at"]
    passed = {"version": 2, "updated_at": changed["updated_at"]}
    assert changed == schedule | {name: CHANGES[name]} | passed


@pytest.mark.parametrize("changes", [{}, {"id": 7, "user_id": 7, "version": 9}])
def test_change_without_anything_known_is_refused(people, changes):
    path = f"/schedules/{people.alice.schedule()['id']}"
    assert_refused(people.alice.patch(path, changes), 400, "validation_error", "")


def test_what_nobody_may_assign_is_ignored(people, database):
    schedule = people.alice.schedule(user_id=people.bob.id, id=7, version=9)
    assert schedule["version"] == 1
    assert people.bob.get("/schedules").json == []


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_schedule_of_somebody_else_is_not_there(people, database, method):
    path, carol = f"/schedules/{people.alice.schedule()['id']}", people.carol
    changes = {"name": "Mine now"} if method == "PATCH" else None
    with nothing_written(database):
        answer = carol.send(method, path, changes)
    assert_refused(answer, 404, "not_found")
    assert without_request_id(answer) == without_request_id(carol.send(method, f"/schedules/{NOWHERE}", changes))


def test_deleted_schedule_is_not_there(people):
    path = f"/schedules/{people.alice.schedule()['id']}"
    answer = people.alice.delete(path)
    assert (answer.status_code, answer.json.keys()) == (200, {"message"})
    assert_refused(people.alice.get(path), 404, "not_found")
    assert_refused(people.alice.delete(path), 404, "not_found")


def test_event_type_whose_schedule_is_deleted_has_none_and_another_version(people):
    schedule = people.alice.schedule()
    used = people.alice.event_type(schedule_id=schedule["id"])
    other = people.alice.event_type(schedule_id=people.alice.schedule()["id"])
    people.alice.delete(f"/schedules/{schedule['id']}")
    now = people.alice.get(f"/event-types/{used['uid']}").json
    assert (now["schedule_id"], now["version"]) == (None, used["version"] + 1)
    assert people.alice.get(f"/event-types/{other['uid']}").json == other


# Versions, lists, repetitions


def test_answer_with_one_schedule_bears_its_etag(people):
    answer = people.alice.post("/schedules", body())
    path, first = f"/schedules/{answer.json['schedule']['id']}", answer.headers["ETag"]
    read = people.alice.get(path)
    assert read.headers["ETag"] == first
    second = people.alice.patch(path, {"name": "New"}).headers["ETag"]
    assert second != first
    assert people.alice.get(path, headers={"If-None-Match": first}).status_code == 200
    not_modified = people.alice.get(path, headers={"If-None-Match": second})
    assert (not_modified.status_code, not_modified.data) == (304, b"")


@pytest.mark.parametrize(("method", "changes"), [("PATCH", {"is_default": True}), ("DELETE", None)])
def test_write_with_a_stale_etag_is_refused(people, database, method, changes):
    people.alice.schedule()
    answer = people.alice.post("/schedules", body())
    path, stale = f"/schedules/{answer.json['schedule']['id']}", answer.headers["ETag"]
    current = people.alice.patch(path, {"name": "Meanwhile"}).headers["ETag"]
    with nothing_written(database):
        refused = people.alice.send(method, path, changes, headers={"If-Match": stale})
        assert_refused(refused, 412, "precondition_failed")
    assert people.alice.send(method, path, changes, headers={"If-Match": current}).status_code == 200


def test_list_is_paged_newest_first(people):
    ids = [people.alice.schedule()["id"] for _ in range(3)]
    people.bob.schedule()
    assert [schedule["id"] for schedule in people.alice.get("/schedules").json] == ids[::-1]
    first = people.alice.get("/schedules?limit=2")
    following = first.headers["Link"].removeprefix("</api/v1").removesuffix('>; rel="next"')
    second = people.alice.get(following)
    assert [schedule["id"] for schedule in first.json + second.json] == ids[::-1]
    assert "Link" not in second.headers
    assert people.bob.get(following).status_code == 200
    assert_refused(people.alice.get("/schedules?cursor=x"), 400, "validation_error", "?cursor")


def test_repetition_under_a_key_has_one_effect(people, database):
    first, again = (people.alice.post("/schedules", body(), headers={"Idempotency-Key": "one"}) for _ in range(2))
    assert (first.status_code, first.data, first.headers["ETag"]) == (201, again.data, again.headers["ETag"])
    assert again.headers["Idempotency-Replayed"] == "true"
    assert rows(database, "SELECT count(*) FROM schedules")[0]["count"] == 1
