"""Found organizations, rename and delete them, and decide who belongs to them."""

import pytest

from tests.scheduling.answers import (
    NOWHERE,
    assert_refused,
    emails_to,
    nothing_written,
    rows,
    without_request_id,
)

ORGANIZATION = {"id", "name", "owner_id", "created_at", "updated_at"}
MEMBER = {"membership_id", "role", "joined_at", "user_id", "name", "email"}


def found(person, name="Acme", **more):
    return person.post("/organizations", {"name": name} | more)


def invite(person, organization, whom, **more):
    return person.post(f"/organizations/{organization}/members", {"email": whom.email} | more)


@pytest.fixture
def acme(people):
    """Offer an organization of alice's to which bob belongs."""
    return people.alice.organization("Acme", people.bob)


def test_founder_is_owner_and_first_admin(people, database):
    answer = found(people.alice)
    assert answer.status_code == 201
    assert answer.json.keys() == {"message", "organization"}
    organization = answer.json["organization"]
    assert organization.keys() == ORGANIZATION
    assert (organization["name"], organization["owner_id"]) == ("Acme", people.alice.id)
    assert organization["created_at"] == organization["updated_at"]
    (member,) = people.alice.get(f"/organizations/{organization['id']}/members").json
    assert (member["user_id"], member["role"]) == (people.alice.id, "admin")
    assert member["joined_at"] == organization["created_at"]


def test_founder_is_told_nothing(people, database):
    found(people.alice)
    assert [kind for kind, _ in emails_to(database, people.alice.email)] == ["WELCOME"]
    assert people.alice.get("/notifications").json == []


@pytest.mark.parametrize("value", ["missing", None, "", " ", 1, True, [], {}, "x" * 101, "a\nb"])
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_name_is_one_line_of_1_to_100_characters(people, acme, database, method, value):
    body = {} if value == "missing" else {"name": value}
    path = "/organizations" if method == "POST" else f"/organizations/{acme}"
    with nothing_written(database):
        assert_refused(people.alice.send(method, path, body), 400, "validation_error", "/name")


@pytest.mark.parametrize("name", ["x", "x" * 100, "😀" * 100, "<b>'%s\\"])
def test_name_is_kept_as_it_is(people, name):
    assert found(people.alice, name).json["organization"]["name"] == name


def test_what_nobody_may_assign_is_ignored(people):
    organization = found(people.alice, owner_id=people.bob.id, id=7).json["organization"]
    assert organization["owner_id"] == people.alice.id
    answer = people.alice.patch(f"/organizations/{organization['id']}", {"name": "New", "owner_id": people.bob.id})
    assert answer.json["organization"]["owner_id"] == people.alice.id


def test_list_holds_what_one_owns_newest_first(people, acme):
    second = people.alice.organization("Second")
    people.bob.organization("Bob's")
    answer = people.alice.get("/organizations")
    assert [organization["id"] for organization in answer.json] == [second, acme]
    assert all(organization.keys() == ORGANIZATION for organization in answer.json)
    assert people.alice.get("/organizations?membership=owner").json == answer.json


def test_list_of_all_that_one_belongs_to_holds_owned_ones_too(people, acme):
    own = people.bob.organization("Bob's")
    people.alice.organization("Alice's own")
    joined = people.bob.get("/organizations?membership=member")
    assert [organization["id"] for organization in joined.json] == [own, acme]
    assert [organization["id"] for organization in people.bob.get("/organizations").json] == [own]
    assert people.carol.get("/organizations?membership=member").json == []


@pytest.mark.parametrize("value", ["", "admin", "Owner", "owner&membership=member"])
def test_list_refuses_another_membership(people, value):
    answer = people.alice.get(f"/organizations?membership={value}")
    assert_refused(answer, 400, "validation_error", "?membership")


def test_members_see_the_organization_with_its_members(people, acme):
    for person in (people.alice, people.bob):
        answer = person.get(f"/organizations/{acme}")
        assert answer.status_code == 200
        assert answer.json.keys() == ORGANIZATION | {"members"}
        assert [(member["user_id"], member["role"]) for member in answer.json["members"]] == [
            (people.alice.id, "admin"),
            (people.bob.id, "member"),
        ]
        assert all(member.keys() == MEMBER for member in answer.json["members"])


def test_owner_renames_the_organization(people, acme):
    before = people.alice.get(f"/organizations/{acme}").json
    answer = people.alice.patch(f"/organizations/{acme}", {"name": "New"})
    assert answer.status_code == 200
    assert answer.json.keys() == {"message", "organization"}
    after = answer.json["organization"]
    assert after["updated_at"] > before["updated_at"]
    before.pop("members")
    assert after == before | {"name": "New", "updated_at": after["updated_at"]}


def test_owner_deletes_the_organization_with_its_members(people, acme, database):
    other = people.alice.organization("Other")
    answer = people.alice.delete(f"/organizations/{acme}")
    assert (answer.status_code, answer.json.keys()) == (200, {"message"})
    assert_refused(people.alice.get(f"/organizations/{acme}"), 404, "not_found")
    assert_refused(people.alice.delete(f"/organizations/{acme}"), 404, "not_found")
    assert rows(database, "SELECT organization_id FROM organization_members") == [{"organization_id": other}]


@pytest.mark.parametrize("role", ["member", "admin"])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "", {"name": "Mine"}),
        ("DELETE", "", None),
        ("POST", "/members", {"email": "nobody@example.com"}),
    ],
)
def test_only_the_owner_manages_the_organization(people, database, method, path, body, role):
    organization = people.alice.organization()
    invite(people.alice, organization, people.bob, role=role)
    bob = people.bob
    with nothing_written(database):
        assert_refused(bob.send(method, f"/organizations/{organization}{path}", body), 403, "forbidden")


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": 1}])
def test_invalid_name_is_said_before_the_owner_is_looked_at(people, acme, body):
    for person in (people.bob, people.carol):
        answer = person.patch(f"/organizations/{acme}", body)
        assert_refused(answer, 400, "validation_error", "/name")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("PATCH", "", {"name": "Mine"}),
        ("DELETE", "", None),
        ("GET", "/members", None),
        ("POST", "/members", {"email": "nobody@example.com"}),
        ("DELETE", "/members/{alice}", None),
        ("DELETE", "/members/{carol}", None),
    ],
)
def test_organization_is_not_there_for_who_does_not_belong(people, acme, database, method, path, body):
    path = path.format(alice=people.alice.id, carol=people.carol.id)
    outsiders = (people.carol, people.admin)
    with nothing_written(database):
        for outsider in outsiders:
            foreign = outsider.send(method, f"/organizations/{acme}{path}", body)
            absent = outsider.send(method, f"/organizations/{NOWHERE}{path}", body)
            assert_refused(foreign, 404, "not_found")
            assert without_request_id(foreign) == without_request_id(absent)
            assert len(foreign.data) == len(absent.data)


@pytest.mark.parametrize("unknown", ["0", "x", "-1", "1.0", str(2**63)])
def test_what_cannot_be_an_id_is_not_there(people, acme, unknown):
    assert_refused(people.alice.get(f"/organizations/{unknown}"), 404, "not_found")
    assert_refused(people.alice.delete(f"/organizations/{acme}/members/{unknown}"), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", ""),
        ("GET", ""),
        ("GET", "/1"),
        ("PATCH", "/1"),
        ("DELETE", "/1"),
        ("POST", "/1/members"),
        ("GET", "/1/members"),
        ("DELETE", "/1/members/1"),
    ],
)
def test_token_is_required(client, method, path):
    assert_refused(client.send(method, f"/organizations{path}"), 401, "unauthorized")
