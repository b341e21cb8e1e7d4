"""Profiles, passwords, and the list of everybody."""

import pytest

from tests.people import PASSWORD
from tests.scheduling.answers import IDENTITY, assert_refused, nothing_written, rows

NEW = "battery staple"


def change(person, current=PASSWORD, new=NEW, **more):
    return person.patch("/users/me/password", {"currentPassword": current, "newPassword": new} | more)


def sign_in(client, person, password):
    return client.post("/auth/login", {"email": person.email, "password": password})


def test_profile_is_ones_own(people):
    answer = people.alice.get("/users/me")
    assert answer.status_code == 200
    assert answer.json.keys() == IDENTITY | {"created_at"}
    assert answer.json["created_at"].endswith("Z")
    assert (answer.json["id"], answer.json["name"]) == (people.alice.id, "Alice")
    assert people.bob.get("/users/me").json["id"] == people.bob.id


@pytest.mark.parametrize(
    ("changes", "name", "email"),
    [
        ({"name": "Alicia"}, "Alicia", None),
        ({"email": "Alicia@Example.com"}, "Alice", "alicia@example.com"),
        ({"name": "Alicia", "email": "alicia@example.com"}, "Alicia", "alicia@example.com"),
    ],
)
def test_name_and_address_change_alone_or_together(people, changes, name, email):
    alice = people.alice
    before = alice.get("/users/me").json
    answer = alice.patch("/users/me", changes)
    assert answer.status_code == 200
    assert answer.json.keys() == {"message", "user"}
    assert answer.json["user"] == before | {"name": name, "email": email or alice.email}
    assert alice.get("/users/me").json == answer.json["user"]


def test_change_of_a_profile_touches_nobody_else(people):
    before = people.bob.get("/users/me").json
    people.alice.patch("/users/me", {"name": "Alicia", "id": people.bob.id, "user_id": people.bob.id})
    assert people.bob.get("/users/me").json == before


@pytest.mark.parametrize("body", [None, {}, {"role": "admin"}, {"id": 1, "password": NEW}])
def test_profile_change_needs_a_known_field(people, database, body):
    alice = people.alice
    with nothing_written(database):
        assert_refused(alice.patch("/users/me", body), 400, "validation_error", "")


@pytest.mark.parametrize("field", ["name", "email"])
@pytest.mark.parametrize("value", [None, "", " ", 1, True, [], {}, "a\nb"])
def test_profile_change_refuses_what_is_no_name_or_address(people, database, field, value):
    alice = people.alice
    with nothing_written(database):
        answer = alice.patch("/users/me", {"name": "Alicia", "email": "alicia@example.com"} | {field: value})
        assert_refused(answer, 400, "validation_error", f"/{field}")


def test_address_of_somebody_else_is_taken_in_any_case(people, database):
    alice, bob = people.alice, people.bob
    with nothing_written(database):
        assert_refused(alice.patch("/users/me", {"name": "X", "email": bob.email.upper()}), 400, "email_taken")


def test_own_address_may_be_given_again(people):
    assert people.alice.patch("/users/me", {"email": people.alice.email.upper()}).status_code == 200


def test_role_cannot_be_assigned(people, database):
    answer = people.alice.patch("/users/me", {"name": "Alice", "role": "admin", "created_at": "2000-01-01T00:00:00Z"})
    assert answer.json["user"]["role"] == "member"
    assert rows(database, "SELECT role FROM users") == [{"role": "member"}]


def test_one_signs_in_with_the_new_address_only(client, people):
    people.alice.patch("/users/me", {"email": "alicia@example.com"})
    assert sign_in(client, people.alice, PASSWORD).status_code == 401
    answer = client.post("/auth/login", {"email": "alicia@example.com", "password": PASSWORD})
    assert answer.status_code == 200


def test_token_outlives_a_change_of_address(people):
    people.alice.patch("/users/me", {"email": "alicia@example.com"})
    assert people.alice.get("/auth/verify").json["user"]["email"] == "alicia@example.com"


def test_password_change_answers_a_token_that_replaces_every_earlier_one(client, people):
    phone = client.with_token(sign_in(client, people.alice, PASSWORD).json["token"])
    answer = change(people.alice)
    assert answer.status_code == 200
    assert answer.json.keys() == {"message", "token"}
    assert client.with_token(answer.json["token"]).get("/users/me").json["id"] == people.alice.id
    for earlier in (people.alice, phone):
        assert_refused(earlier.get("/users/me"), 401, "token_invalid")
    assert people.bob.get("/users/me").status_code == 200


def test_only_the_new_password_signs_in(client, people):
    change(people.alice)
    assert sign_in(client, people.alice, PASSWORD).status_code == 401
    token = sign_in(client, people.alice, NEW).json["token"]
    assert client.with_token(token).get("/users/me").status_code == 200


def test_password_can_be_changed_again_at_once(client, people):
    person, current = people.alice, PASSWORD
    for number in range(3):
        answer = change(person, current, f"{NEW} {number}")
        assert answer.status_code == 200
        person, current = client.with_token(answer.json["token"]), f"{NEW} {number}"
    assert person.get("/users/me").status_code == 200


def test_password_change_accepts_snake_case(client, people):
    answer = people.alice.patch("/users/me/password", {"current_password": PASSWORD, "new_password": NEW})
    assert answer.status_code == 200
    assert sign_in(client, people.alice, NEW).status_code == 200


@pytest.mark.parametrize(
    ("spelling", "documented"), [("current_password", "currentPassword"), ("new_password", "newPassword")]
)
def test_two_spellings_of_one_field_are_refused(people, database, spelling, documented):
    body = {"currentPassword": PASSWORD, "newPassword": NEW}
    alice = people.alice
    with nothing_written(database):
        answer = alice.patch("/users/me/password", body | {spelling: body[documented]})
        assert_refused(answer, 400, "validation_error", f"/{spelling}")


def test_wrong_password_is_401_and_changes_nothing(people, database):
    alice = people.alice
    with nothing_written(database):
        answer = change(alice, "not it")
        assert_refused(answer, 401, "wrong_password")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert alice.get("/users/me").status_code == 200


@pytest.mark.parametrize("field", ["currentPassword", "newPassword"])
@pytest.mark.parametrize("value", [None, 1, True, [], {}, "", "x\0x", "x" * 1025])
def test_password_change_requires_both_as_text(people, database, field, value):
    alice = people.alice
    with nothing_written(database):
        answer = alice.patch("/users/me/password", {"currentPassword": PASSWORD, "newPassword": NEW} | {field: value})
        assert answer.status_code == 400
        assert answer.json["code"] == "validation_error"


def test_password_change_names_what_is_missing(people):
    answer = people.alice.patch("/users/me/password", {})
    assert_refused(answer, 400, "validation_error", "/currentPassword", "/newPassword")


def test_short_new_password_is_refused_before_the_current_one_is_looked_at(people, database):
    alice = people.alice
    with nothing_written(database):
        assert_refused(change(alice, "not it", "12345"), 400, "validation_error", "/newPassword")


def test_admin_lists_everybody_newest_first(people):
    everybody = [people.alice, people.bob, people.admin]
    answer = people.admin.get("/users")
    assert answer.status_code == 200
    assert [user["id"] for user in answer.json] == [person.id for person in reversed(everybody)]
    assert all(user.keys() == IDENTITY | {"created_at"} for user in answer.json)
    assert [user["role"] for user in answer.json] == ["admin", "member", "member"]


def test_list_of_everybody_is_for_admins(people):
    assert_refused(people.alice.get("/users"), 403, "forbidden")


def test_invalid_parameter_is_said_before_the_role_is_looked_at(people):
    assert_refused(people.alice.get("/users?limit=0"), 400, "validation_error", "?limit")


@pytest.mark.parametrize(("method", "path"), [("GET", "/me"), ("PATCH", "/me"), ("PATCH", "/me/password"), ("GET", "")])
def test_token_is_required(client, method, path):
    assert_refused(client.send(method, f"/users{path}"), 401, "unauthorized")


def test_password_can_be_changed_many_times_in_a_row(people):
    person, password = people.alice, PASSWORD
    for number in range(12):
        change = {"currentPassword": password, "newPassword": f"password {number}"}
        answer = person.patch("/users/me/password", change)
        assert answer.status_code == 200, answer.text
        person, password = person.with_token(answer.json["token"]), change["newPassword"]
    assert person.get("/auth/verify").status_code == 200
