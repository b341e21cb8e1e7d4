"""Who belongs to an organization, who adds and who removes."""

import pytest

from tests.scheduling.answers import assert_refused, emails_to, nothing_written, without_request_id

MEMBER = {"membership_id", "role", "joined_at", "user_id", "name", "email"}


def invite(person, organization, whom, **more):
    return person.post(f"/organizations/{organization}/members", {"email": whom.email} | more)


def remove(person, organization, whom):
    return person.delete(f"/organizations/{organization}/members/{whom.id}")


def member_ids(person, organization):
    answer = person.get(f"/organizations/{organization}/members")
    assert answer.status_code == 200, answer.text
    return [member["user_id"] for member in answer.json]


@pytest.fixture
def acme(people):
    """Offer an organization of alice's to which bob belongs."""
    return people.alice.organization("Acme", people.bob)


def test_member_is_added_by_address_in_any_case(people):
    organization = people.alice.organization()
    bob = people.bob
    answer = people.alice.post(f"/organizations/{organization}/members", {"email": bob.email.upper()})
    assert answer.status_code == 201
    assert answer.json.keys() == {"message", "member"}
    member = answer.json["member"]
    assert member.keys() == MEMBER
    assert (member["user_id"], member["name"], member["email"], member["role"]) == (bob.id, "Bob", bob.email, "member")
    assert people.alice.get(f"/organizations/{organization}/members").json[-1] == member


@pytest.mark.parametrize("role", ["member", "admin"])
def test_member_is_added_in_a_role(people, role):
    organization = people.alice.organization()
    assert invite(people.alice, organization, people.bob, role=role).json["member"]["role"] == role


def test_new_member_is_told_by_notification_and_mail(people, database):
    organization = people.alice.organization('A "B" & C')
    answer = invite(people.alice, organization, people.bob, role="admin")
    assert answer.status_code == 201
    (notification,) = people.bob.get("/notifications").json
    assert notification["type"] == "ORG_INVITE"
    assert notification["title"] == 'You\'ve been added to "A "B" & C"'
    assert notification["metadata"] == {"organization_id": organization}
    assert notification["is_read"] is False
    (_, (kind, data)) = emails_to(database, people.bob.email)
    assert kind == "ORG_INVITE"
    assert data == {"name": "Bob", "organization_id": organization, "organization_name": 'A "B" & C', "role": "admin"}
    assert people.alice.get("/notifications").json == []
    assert [kind for kind, _ in emails_to(database, people.alice.email)] == ["WELCOME"]


@pytest.mark.parametrize("email", ["missing", None, "", "nobody", 1, [], {}])
def test_member_needs_an_address(people, acme, database, email):
    body = {} if email == "missing" else {"email": email}
    with nothing_written(database):
        answer = people.alice.post(f"/organizations/{acme}/members", body)
        assert_refused(answer, 400, "validation_error", "/email")


@pytest.mark.parametrize("role", [None, "", "owner", "Admin", 1, True, [], {}])
def test_member_needs_a_role_that_exists(people, acme, database, role):
    carol = people.carol
    with nothing_written(database):
        assert_refused(invite(people.alice, acme, carol, role=role), 400, "validation_error", "/role")


def test_address_that_nobody_has_is_not_found(people, acme, database):
    with nothing_written(database):
        answer = people.alice.post(f"/organizations/{acme}/members", {"email": "nobody@example.com"})
        assert_refused(answer, 404, "not_found")
    assert answer.json["detail"] == "User not found"


def test_who_belongs_cannot_be_added_again(people, acme, database):
    alice, bob = people.alice, people.bob
    with nothing_written(database):
        assert_refused(invite(alice, acme, bob, role="admin"), 400, "already_member")
        assert_refused(invite(alice, acme, alice), 400, "already_member")


def test_who_may_not_add_adds_nobody_and_learns_nothing_about_addresses(people, acme, database):
    bob, carol = people.bob, people.carol
    with nothing_written(database):
        known, unknown = (
            bob.post(f"/organizations/{acme}/members", {"email": email})
            for email in (carol.email, "nobody@example.com")
        )
    assert_refused(known, 403, "forbidden")
    assert without_request_id(known) == without_request_id(unknown)


def test_members_are_listed_oldest_first(people, acme):
    invite(people.alice, acme, people.carol)
    answer = people.bob.get(f"/organizations/{acme}/members")
    assert [member["user_id"] for member in answer.json] == [people.alice.id, people.bob.id, people.carol.id]
    assert all(member.keys() == MEMBER for member in answer.json)


def test_owner_removes_a_member(people, acme):
    answer = remove(people.alice, acme, people.bob)
    assert (answer.status_code, answer.json.keys()) == (200, {"message"})
    assert member_ids(people.alice, acme) == [people.alice.id]
    assert_refused(people.bob.get(f"/organizations/{acme}"), 404, "not_found")
    assert_refused(remove(people.alice, acme, people.bob), 404, "not_found")


def test_removed_member_can_be_added_again(people, acme):
    remove(people.alice, acme, people.bob)
    assert invite(people.alice, acme, people.bob).status_code == 201
    assert len(people.bob.get("/notifications").json) == 2


def test_member_leaves(people, acme):
    assert remove(people.bob, acme, people.bob).status_code == 200
    assert member_ids(people.alice, acme) == [people.alice.id]


@pytest.mark.parametrize("role", ["member", "admin"])
def test_member_removes_nobody_else(people, database, role):
    organization = people.alice.organization("Acme", people.carol)
    invite(people.alice, organization, people.bob, role=role)
    alice, bob, carol = people.alice, people.bob, people.carol
    with nothing_written(database):
        assert_refused(remove(bob, organization, carol), 403, "forbidden")
        assert_refused(remove(bob, organization, alice), 403, "forbidden")


def test_owner_cannot_leave(people, acme, database):
    alice = people.alice
    with nothing_written(database):
        answer = remove(alice, acme, alice)
    assert answer.status_code == 400
    assert alice.get(f"/organizations/{acme}").json["owner_id"] == alice.id


def test_who_does_not_belong_cannot_be_removed(people, acme, database):
    alice, bob, carol = people.alice, people.bob, people.carol
    with nothing_written(database):
        assert_refused(remove(alice, acme, carol), 404, "not_found")
        assert_refused(remove(bob, acme, carol), 404, "not_found")


def test_removal_touches_one_organization_only(people, acme):
    other = people.alice.organization("Other", people.bob)
    remove(people.alice, acme, people.bob)
    assert member_ids(people.alice, other) == [people.alice.id, people.bob.id]
