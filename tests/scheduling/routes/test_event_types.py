"""Offer what others may book: what is kept, what is refused, and whose it is."""

import re

import pytest

from tests.scheduling.answers import NOWHERE, assert_refused, nothing_written, rows
from tests.scheduling.offers import EVENT_TYPE, PUBLIC, path_of, talk


@pytest.fixture
def team(people):
    """Offer an organization of alice's to which bob belongs."""
    return people.alice.organization("Acme", people.bob)


@pytest.fixture
def joint(people, team):
    """Offer an event type of the organization, with alice and bob as hosts."""
    return people.alice.event_type(organization_id=team, hosts=[people.bob.id, people.alice.id], assignment="all")


def test_event_type_has_defaults(people):
    answer = people.alice.post("/event-types", talk())
    assert answer.status_code == 201
    assert answer.json.keys() == {"message", "event_type"}
    event_type = answer.json["event_type"]
    assert event_type.keys() == EVENT_TYPE
    assert event_type["created_at"] == event_type["updated_at"]
    expected = talk(
        description="",
        owner_id=people.alice.id,
        organization_id=None,
        slot_minutes=30,
        buffer_before_minutes=0,
        buffer_after_minutes=0,
        notice_minutes=0,
        horizon_days=60,
        daily_limit=None,
        schedule_id=None,
        hosts=[people.alice.id],
        assignment="one",
        is_active=True,
        version=1,
    )
    assert {name: event_type[name] for name in expected} == expected
    assert people.alice.get(path_of(event_type)).json == event_type


def test_everything_that_is_given_is_kept(people, team):
    given = talk(
        description="Bring\n\tcoffee.\r\n",
        slot_minutes=15,
        buffer_before_minutes=5,
        buffer_after_minutes=10,
        notice_minutes=60,
        horizon_days=14,
        daily_limit=3,
        schedule_id=people.alice.schedule()["id"],
        hosts=[people.alice.id, people.bob.id],
        assignment="any",
        organization_id=team,
        is_active=False,
    )
    event_type = people.alice.event_type(**given)
    assert {name: event_type[name] for name in given} == given


def test_link_cannot_be_guessed(people):
    links = {people.alice.event_type()["uid"] for _ in range(20)}
    assert len(links) == 20
    assert all(re.fullmatch(r"[\w-]{22}", link, re.ASCII) for link in links)


@pytest.mark.parametrize(("duration", "slot"), [(1, 5), (4, 5), (5, 5), (6, 6), (1440, 1440)])
def test_slots_follow_each_other_but_not_within_five_minutes(people, duration, slot):
    assert people.alice.event_type(duration_minutes=duration)["slot_minutes"] == slot


# Bounds

BOUNDS = {
    "duration_minutes": (1, 1440),
    "slot_minutes": (5, 1440),
    "buffer_before_minutes": (0, 1440),
    "buffer_after_minutes": (0, 1440),
    "notice_minutes": (0, 527_040),
    "horizon_days": (1, 730),
    "daily_limit": (1, 1440),
}
NULLABLE = {"daily_limit", "schedule_id", "organization_id"}
NO_NUMBERS = ["1", 1.0, 10.5, True, [], {}, 2**63 - 1, -(2**63)]
NO_HOSTS = [None, [], {}, 1, [NOWHERE] * 2, list(range(1, 52))]
FAULTS = [
    *[({name: value}, f"/{name}") for name, (least, most) in BOUNDS.items() for value in (least - 1, most + 1)],
    *[({name: value}, f"/{name}") for name in BOUNDS for value in NO_NUMBERS],
    *[({name: None}, f"/{name}") for name in BOUNDS if name not in NULLABLE],
    *[({"title": value}, "/title") for value in [None, "", " ", 1, "x" * 256, "a\nb"]],
    *[({"description": value}, "/description") for value in [None, 1, "x" * 2001, "a\x07b", "a\x85b", "a\x1b[31m"]],
    *[({"assignment": value}, "/assignment") for value in [None, "", "One", "both", 1]],
    *[({"is_active": value}, "/is_active") for value in [None, 1, "true"]],
    *[({"schedule_id": value}, "/schedule_id") for value in ["1", 1.0, True, 0, -1]],
    *[({"hosts": value}, "/hosts") for value in NO_HOSTS],
    *[({"hosts": [value]}, "/hosts/0") for value in ["1", 1.0, True, None, 0]],
    ({"hosts": [1, 2], "assignment": "one"}, "/hosts"),
]


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize(("fault", "pointer"), FAULTS)
def test_fault_is_named_and_nothing_is_written(people, database, method, fault, pointer):
    event_type = people.alice.event_type()
    path, sent = ("/event-types", talk(**fault)) if method == "POST" else (path_of(event_type), fault)
    with nothing_written(database):
        assert_refused(people.alice.send(method, path, sent), 400, "validation_error", pointer)


@pytest.mark.parametrize("edge", [0, 1])
def test_bounds_are_included(people, edge):
    given = {name: bounds[edge] for name, bounds in BOUNDS.items()}
    event_type = people.alice.event_type(**given)
    assert {name: event_type[name] for name in given} == given


@pytest.mark.parametrize("name", ["title", "duration_minutes"])
def test_new_event_type_has_a_title_and_a_duration(people, name):
    given = {key: value for key, value in talk().items() if key != name}
    assert_refused(people.alice.post("/event-types", given), 400, "validation_error", f"/{name}")


# Whose it is


def test_person_is_the_only_host_of_their_own(people, database):
    bob, mine = people.bob, people.alice.event_type(hosts=[people.alice.id], assignment="any")
    with nothing_written(database):
        for hosts in ([bob.id], [people.alice.id, bob.id], [NOWHERE]):
            refused = people.alice.post("/event-types", talk(hosts=hosts, assignment="any"))
            assert_refused(refused, 400, "validation_error", "/hosts")
            assert_refused(people.alice.patch(path_of(mine), {"hosts": hosts}), 400, "validation_error", "/hosts")


def test_organization_of_others_is_not_there(people, database, team):
    carol = people.carol
    with nothing_written(database):
        for organization in (team, NOWHERE):
            answer = carol.post("/event-types", talk(organization_id=organization, hosts=[people.bob.id]))
            assert_refused(answer, 404, "not_found")
            assert answer.json["detail"] == "Organization not found"


def test_member_may_not_offer_for_the_organization(people, database, team):
    with nothing_written(database):
        assert_refused(people.bob.post("/event-types", talk(organization_id=team)), 403, "forbidden")


def test_admin_may_offer_with_members_as_hosts(people, team):
    assert people.alice.post(f"/organizations/{team}/members", {"email": people.carol.email, "role": "admin"})
    event_type = people.carol.event_type(organization_id=team, hosts=[people.bob.id])
    assert (event_type["owner_id"], event_type["hosts"]) == (people.carol.id, [people.bob.id])


def test_host_is_a_member(people, database, team, joint):
    carol = people.carol
    with nothing_written(database):
        for hosts in ([carol.id], [people.alice.id, NOWHERE]):
            body = talk(organization_id=team, hosts=hosts, assignment="all")
            assert_refused(people.alice.post("/event-types", body), 400, "validation_error", "/hosts")
            assert_refused(people.alice.patch(path_of(joint), {"hosts": hosts}), 400, "validation_error", "/hosts")


def test_schedule_is_the_callers_own(people, database):
    own, other = people.alice.schedule()["id"], people.bob.schedule()["id"]
    event_type = people.alice.event_type(schedule_id=own)
    with nothing_written(database):
        for schedule in (other, NOWHERE):
            answers = (
                people.alice.post("/event-types", talk(schedule_id=schedule)),
                people.alice.patch(path_of(event_type), {"schedule_id": schedule}),
            )
            for answer in answers:
                assert_refused(answer, 404, "not_found")
                assert answer.json["detail"] == "Schedule not found"


def test_another_admin_may_keep_the_schedule_that_is_not_theirs(people, team):
    people.alice.post(f"/organizations/{team}/members", {"email": people.carol.email, "role": "admin"})
    event_type = people.alice.event_type(organization_id=team, schedule_id=people.alice.schedule()["id"])
    kept = {"title": "New", "schedule_id": event_type["schedule_id"]}
    assert people.carol.patch(path_of(event_type), kept).status_code == 200
    assert people.carol.patch(path_of(event_type), {"schedule_id": None}).status_code == 200
    assert_refused(people.carol.patch(path_of(event_type), kept), 404, "not_found")


# Versions, repetitions


def test_answer_with_one_event_type_bears_its_etag(people):
    answer = people.alice.post("/event-types", talk())
    path, first = path_of(answer.json["event_type"]), answer.headers["ETag"]
    assert people.alice.get(path).headers["ETag"] == first
    second = people.alice.patch(path, {"title": "New"}).headers["ETag"]
    assert second != first
    assert people.alice.get(path, headers={"If-None-Match": first}).status_code == 200
    not_modified = people.alice.get(path, headers={"If-None-Match": second})
    assert (not_modified.status_code, not_modified.data) == (304, b"")
    assert people.bob.get(path, headers={"If-None-Match": second}).json.keys() == PUBLIC


@pytest.mark.parametrize(("method", "changes"), [("PATCH", {"hosts": None}), ("DELETE", None)])
def test_write_with_a_stale_etag_is_refused(people, database, method, changes):
    answer = people.alice.post("/event-types", talk())
    path, stale = path_of(answer.json["event_type"]), answer.headers["ETag"]
    current = people.alice.patch(path, {"title": "Meanwhile"}).headers["ETag"]
    changes = changes and {"hosts": [people.alice.id]}
    with nothing_written(database):
        refused = people.alice.send(method, path, changes, headers={"If-Match": stale})
        assert_refused(refused, 412, "precondition_failed")
    assert people.alice.send(method, path, changes, headers={"If-Match": current}).status_code == 200


def test_repetition_under_a_key_has_one_effect(people, database):
    first, again = (people.alice.post("/event-types", talk(), headers={"Idempotency-Key": "one"}) for _ in range(2))
    assert (first.status_code, first.data, first.headers["ETag"]) == (201, again.data, again.headers["ETag"])
    assert again.headers["Idempotency-Replayed"] == "true"
    assert rows(database, "SELECT count(*) FROM event_types")[0]["count"] == 1
