"""Register, sign in, sign out."""

from dataclasses import replace

import jwt
import pytest

from scheduling.context import Services
from tests.people import PASSWORD
from tests.scheduling.answers import (
    IDENTITY,
    assert_refused,
    emails_to,
    nothing_written,
    rows,
    without_request_id,
)

DAY = 86_400


@pytest.fixture
def dora():
    return {"name": "Dora", "email": "dora@example.com", "password": PASSWORD}


@pytest.fixture
def services(app):
    """Offer the services of the application; changes are undone."""
    before = app.extensions["scheduling"]
    yield before
    app.extensions["scheduling"] = before


def configure(app, services: Services, **settings):
    app.extensions["scheduling"] = replace(services, settings=replace(services.settings, **settings))


def test_registration_answers_a_token_and_the_person(client, dora):
    answer = client.post("/auth/register", dora)
    assert answer.status_code == 201
    assert answer.json.keys() == {"message", "token", "user"}
    assert answer.json["user"].keys() == IDENTITY
    assert {**answer.json["user"], "id": 0} == {"id": 0, "name": "Dora", "email": "dora@example.com", "role": "member"}
    verified = client.with_token(answer.json["token"]).get("/auth/verify")
    assert verified.json["user"] == answer.json["user"]


def test_registration_promises_a_welcome_in_the_same_transaction(client, dora, database):
    answer = client.post("/auth/register", dora, headers={"X-Request-ID": "a-request"})
    assert answer.status_code == 201
    assert emails_to(database, "dora@example.com") == [("WELCOME", {"name": "Dora"})]
    assert rows(database, "SELECT request_id, status, attempts FROM emails") == [
        {"request_id": "a-request", "status": "pending", "attempts": 0}
    ]
    user, email = rows(database, "SELECT created_at FROM users UNION ALL SELECT created_at FROM emails")
    assert user == email


def test_password_is_stored_as_a_hash_only(client, dora, database):
    client.post("/auth/register", dora)
    (user,) = rows(database, "SELECT * FROM users")
    assert PASSWORD not in str(user)
    assert user["password_hash"].startswith("$2b$")


def test_token_has_the_claims_of_the_contract(client, dora, settings):
    answer = client.post("/auth/register", dora)
    token, user = answer.json["token"], answer.json["user"]
    claims = jwt.decode(token, settings.jwt_secret, algorithms=["HS256"])
    assert jwt.get_unverified_header(token)["alg"] == "HS256"
    assert claims.keys() >= {"id", "email", "role", "sub", "iat", "nbf", "exp", "jti"}
    assert (claims["id"], claims["sub"]) == (user["id"], str(user["id"]))
    assert (claims["email"], claims["role"]) == ("dora@example.com", "member")
    assert claims["exp"] - claims["iat"] == 7 * DAY
    assert PASSWORD not in str(claims)


def test_tokens_are_told_apart_by_their_ids(client, people, settings):
    tokens = [people.alice.token] + [
        client.post("/auth/login", {"email": people.alice.email, "password": PASSWORD}).json["token"] for _ in range(2)
    ]
    ids = {jwt.decode(token, settings.jwt_secret, algorithms=["HS256"])["jti"] for token in tokens}
    assert len(ids) == 3


@pytest.mark.parametrize("field", ["name", "email", "password"])
@pytest.mark.parametrize("value", [None, 1, True, [], {}, ["x"], "", "missing"])
def test_registration_requires_each_field_as_text(client, dora, database, field, value):
    if value == "missing":
        del dora[field]
    else:
        dora[field] = value
    with nothing_written(database):
        assert_refused(client.post("/auth/register", dora), 400, "validation_error", f"/{field}")


def test_every_invalid_field_is_named(client):
    assert_refused(client.post("/auth/register", {}), 400, "validation_error", "/name", "/email", "/password")


@pytest.mark.parametrize(
    "email",
    [
        "nobody",
        "@example.com",
        "a@",
        "a@b@example.com",
        "a b@example.com",
        "a@localhost",
        "a@-example.com",
        "a..b@example.com",
        "a@example.com\n",
        "a@exam\r\nBcc: b@example.com",
        "Dora <dora@example.com>",
        "a@[127.0.0.1]",
        f"a@{'b' * 63}.{'c' * 63}.{'d' * 63}.{'e' * 63}.com",
    ],
)
def test_registration_refuses_what_is_no_address(client, dora, email):
    assert_refused(client.post("/auth/register", dora | {"email": email}), 400, "validation_error", "/email")


@pytest.mark.parametrize(("name", "status"), [("x", 201), ("x" * 100, 201), ("😀" * 100, 201), ("x" * 101, 400)])
def test_name_has_1_to_100_characters(client, dora, name, status):
    assert client.post("/auth/register", dora | {"name": name}).status_code == status


@pytest.mark.parametrize("name", [" ", "\t", "a\nb", "a\u2028b", "a\rb", "\x7f"])
def test_name_is_one_line_that_is_not_blank(client, dora, name):
    assert_refused(client.post("/auth/register", dora | {"name": name}), 400, "validation_error", "/name")


@pytest.mark.parametrize(
    ("password", "status"), [("12345", 400), ("123456", 201), ("😀" * 5, 400), ("😀" * 6, 201), ("e\u0301" * 5, 400)]
)
def test_password_has_at_least_6_characters(client, dora, password, status):
    assert client.post("/auth/register", dora | {"password": password}).status_code == status


def test_password_min_length_is_a_setting(app, client, services, dora):
    configure(app, services, password_min_length=len(PASSWORD) + 1)
    assert_refused(client.post("/auth/register", dora), 400, "validation_error", "/password")
    configure(app, services, password_min_length=len(PASSWORD))
    assert client.post("/auth/register", dora).status_code == 201


@pytest.mark.parametrize("email", ["dora@example.com", "DORA@EXAMPLE.COM", "Dora@Example.com"])
def test_address_can_be_registered_once_in_any_case(client, dora, database, email):
    client.post("/auth/register", dora)
    with nothing_written(database):
        assert_refused(client.post("/auth/register", dora | {"email": email}), 400, "email_taken")


def test_address_is_stored_normalised(client, dora):
    answer = client.post("/auth/register", dora | {"email": "DoRa@BÜCHER.Example.com"})
    assert answer.json["user"]["email"] == "dora@bücher.example.com"
    decomposed = {"email": "dora@bu\u0308cher.example.com", "password": PASSWORD}
    assert client.post("/auth/login", decomposed).status_code == 200


def test_registration_gives_no_role_and_no_id(client, dora):
    answer = client.post("/auth/register", dora | {"role": "admin", "id": 7, "password_hash": "x", "is_admin": True})
    assert answer.status_code == 201
    assert answer.json["user"]["role"] == "member"
    assert client.with_token(answer.json["token"]).get("/users").status_code == 403


def test_login_answers_a_token_and_the_person(client, people):
    answer = client.post("/auth/login", {"email": people.alice.email.upper(), "password": PASSWORD})
    assert answer.status_code == 200
    assert answer.json.keys() == {"message", "token", "user"}
    assert answer.json["user"] == {
        "id": people.alice.id,
        "name": "Alice",
        "email": people.alice.email,
        "role": "member",
    }
    assert client.with_token(answer.json["token"]).get("/users/me").json["id"] == people.alice.id


def test_login_promises_no_mail(client, people, database):
    people.alice  # noqa: B018  registers
    with nothing_written(database):
        client.post("/auth/login", {"email": people.alice.email, "password": PASSWORD})


@pytest.mark.parametrize("field", ["email", "password"])
@pytest.mark.parametrize("value", [None, 1, True, [], {}, "", "missing"])
def test_login_requires_both_fields_as_text(client, people, field, value):
    credentials = {"email": people.alice.email, "password": PASSWORD}
    if value == "missing":
        del credentials[field]
    else:
        credentials[field] = value
    assert_refused(client.post("/auth/login", credentials), 400, "validation_error", f"/{field}")


def test_unknown_address_and_wrong_password_get_the_same_answer(client, people):
    wrong = client.post("/auth/login", {"email": people.alice.email, "password": "not it"})
    unknown = client.post("/auth/login", {"email": "nobody@example.com", "password": PASSWORD})
    assert_refused(wrong, 401, "invalid_credentials")
    assert without_request_id(wrong) == without_request_id(unknown)
    assert len(wrong.data) == len(unknown.data)
    assert set(wrong.headers.keys()) == set(unknown.headers.keys())
    assert wrong.headers["WWW-Authenticate"] == unknown.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("password", ["correct hors", "correct horse ", "Correct horse", "x", "x" * 1024, "😀" * 1024])
def test_only_the_password_itself_signs_in(client, people, password):
    answer = client.post("/auth/login", {"email": people.alice.email, "password": password})
    assert_refused(answer, 401, "invalid_credentials")


@pytest.mark.parametrize("email", ["' OR '1'='1'@example.com", "%@example.com", "a_@example.com"])
def test_address_is_no_pattern_and_no_sql(client, people, email):
    people.alice  # noqa: B018  registers
    answer = client.post("/auth/login", {"email": email, "password": PASSWORD})
    assert answer.status_code in (400, 401)


def test_logout_leaves_the_token_alone_as_in_the_original(people, database):
    alice = people.alice
    with nothing_written(database):
        answer = alice.post("/auth/logout")
    assert (answer.status_code, answer.json.keys()) == (200, {"message"})
    assert alice.get("/auth/verify").status_code == 200


def test_logout_that_revokes_kills_this_token_and_no_other(app, client, people, services, database):
    configure(app, services, logout_revokes=True)
    credentials = {"email": people.alice.email, "password": PASSWORD}
    phone = client.with_token(client.post("/auth/login", credentials).json["token"])
    assert phone.post("/auth/logout").status_code == 200
    assert_refused(phone.get("/auth/verify"), 401, "token_invalid")
    assert_refused(phone.post("/auth/logout"), 401, "token_invalid")
    assert people.alice.get("/auth/verify").status_code == 200
    (revoked,) = rows(database, "SELECT user_id, expires_at > now() + interval '6 days' AS later FROM revoked_tokens")
    assert revoked == {"user_id": people.alice.id, "later": True}


def test_revoke_kills_every_token_of_this_person_only(client, people):
    alice, bob = people.alice, people.bob
    credentials = {"email": alice.email, "password": PASSWORD}
    phone = client.with_token(client.post("/auth/login", credentials).json["token"])
    answer = phone.post("/auth/revoke")
    assert (answer.status_code, answer.json.keys()) == (200, {"message"})
    assert_refused(phone.get("/users/me"), 401, "token_invalid")
    assert_refused(alice.get("/users/me"), 401, "token_invalid")
    assert bob.get("/users/me").status_code == 200


def test_login_right_after_a_revocation_counts(client, people):
    credentials = {"email": people.alice.email, "password": PASSWORD}
    for _ in range(3):
        token = client.post("/auth/login", credentials).json["token"]
        assert client.with_token(token).post("/auth/revoke").status_code == 200
        assert client.with_token(token).get("/auth/verify").status_code == 401
    assert (
        client.with_token(client.post("/auth/login", credentials).json["token"]).get("/auth/verify").status_code == 200
    )


def test_verify_tells_whose_a_token_is(people):
    answer = people.alice.get("/auth/verify")
    assert answer.status_code == 200
    assert answer.json == {
        "valid": True,
        "user": {"id": people.alice.id, "name": "Alice", "email": people.alice.email, "role": "member"},
    }


@pytest.mark.parametrize(("method", "path"), [("POST", "/logout"), ("POST", "/revoke"), ("GET", "/verify")])
def test_token_is_required(client, method, path):
    answer = client.send(method, f"/auth{path}")
    assert_refused(answer, 401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
