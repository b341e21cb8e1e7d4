"""Who sees which part of an event type, and in which list it is."""

import pytest

from tests.scheduling.answers import assert_refused, without_request_id
from tests.scheduling.offers import EVENT_TYPE, PUBLIC, UNKNOWN, path_of, uids


@pytest.fixture
def team(people):
    """Offer an organization of alice's to which bob belongs."""
    return people.alice.organization("Acme", people.bob)


@pytest.fixture
def joint(people, team):
    """Offer an event type of the organization, with alice and bob as hosts."""
    return people.alice.event_type(organization_id=team, hosts=[people.bob.id, people.alice.id], assignment="all")


def test_public_sees_the_public_part_only(people, client, joint):
    for answer in (client.get(path_of(joint)), people.carol.get(path_of(joint))):
        assert answer.status_code == 200
        assert answer.json == {name: joint[name] for name in PUBLIC}
        assert "ETag" not in answer.headers


def test_managers_and_hosts_see_everything(people, team, joint):
    people.alice.post(f"/organizations/{team}/members", {"email": people.admin.email, "role": "admin"})
    for person in (people.alice, people.bob, people.admin):
        assert person.get(path_of(joint)).json == joint


def test_member_who_is_no_host_sees_the_public_part(people, team):
    event_type = people.alice.event_type(organization_id=team)
    assert people.bob.get(path_of(event_type)).json.keys() == PUBLIC
    assert uids(people.bob.get("/event-types")) == []


def test_host_who_has_left_sees_the_public_part(people, team, joint):
    people.alice.delete(f"/organizations/{team}/members/{people.bob.id}")
    assert people.bob.get(path_of(joint)).json.keys() == PUBLIC
    assert uids(people.bob.get("/event-types")) == []
    assert people.alice.get(path_of(joint)).json["hosts"] == joint["hosts"]


def test_token_that_does_not_count_is_none(people, database):
    event_type = people.alice.event_type()
    changed = people.alice.token[:-4] + "AAAA"
    assert people.alice.with_token(changed).get(path_of(event_type)).json.keys() == PUBLIC
    assert people.alice.get(path_of(event_type)).json.keys() == EVENT_TYPE
    assert people.alice.post("/auth/revoke").status_code == 200
    assert people.alice.get(path_of(event_type)).json.keys() == PUBLIC


def test_inactive_event_type_is_there_for_managers_and_hosts_only(people, client, joint):
    assert people.alice.patch(path_of(joint), {"is_active": False}).status_code == 200
    for person in (people.alice, people.bob):
        assert person.get(path_of(joint)).json["is_active"] is False
    unknown = client.get(f"/event-types/{UNKNOWN}")
    for person in (client, people.carol):
        answer = person.get(path_of(joint))
        assert_refused(answer, 404, "not_found")
        assert without_request_id(answer) == without_request_id(unknown)


@pytest.mark.parametrize("uid", [UNKNOWN, "1", "A" * 21, "A" * 23, "%00", "A" * 21 + "%C3%A9", "'; --", "A" * 5000])
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_unknown_link_is_not_there(people, method, uid):
    changes = {"title": "x"} if method == "PATCH" else None
    assert_refused(people.alice.send(method, f"/event-types/{uid}", changes), 404, "not_found")


def test_list_holds_what_one_owns_manages_or_hosts_newest_first(people, team, joint):
    own, others = people.alice.event_type(), people.bob.event_type()
    assert uids(people.alice.get("/event-types")) == [own["uid"], joint["uid"]]
    assert uids(people.bob.get("/event-types")) == [others["uid"], joint["uid"]]
    assert people.bob.get("/event-types").json[1] == joint
    assert uids(people.carol.get("/event-types")) == []


def test_list_of_an_organization_holds_its_own_only(people, team, joint):
    people.alice.event_type()
    assert uids(people.alice.get(f"/event-types?organization_id={team}")) == [joint["uid"]]
    assert uids(people.bob.get(f"/event-types?organization_id={team}")) == [joint["uid"]]
    assert uids(people.carol.get(f"/event-types?organization_id={team}")) == []
    assert uids(people.alice.get(f"/event-types?organization_id={2**63 - 1}")) == []


@pytest.mark.parametrize("value", ["", "0", "-1", "x", "1.0", "01", str(2**63), "9" * 40])
def test_list_refuses_what_is_no_id(people, value):
    answer = people.alice.get(f"/event-types?organization_id={value}")
    assert_refused(answer, 400, "validation_error", "?organization_id")


def test_list_is_paged(people, team):
    expected = [
        people.alice.event_type(**({"organization_id": team} if number % 2 else {}))["uid"] for number in range(5)
    ][::-1]
    for limit in (1, 2, 3, 5):
        seen, path = [], f"/event-types?limit={limit}"
        while path:
            answer = people.alice.get(path)
            seen += uids(answer)
            path = answer.headers.get("Link", "").removeprefix("</api/v1").removesuffix('>; rel="next"')
        assert seen == expected
