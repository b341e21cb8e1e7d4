"""Tokens: what is not exactly one of ours does not count."""

import base64
import hmac
import json
import time

import jwt
import pytest

from tests.people import PASSWORD
from tests.scheduling.answers import assert_refused, rows

CLAIMS = ("id", "sub", "iat", "nbf", "exp", "jti")
DAY = 86_400


@pytest.fixture
def secret(settings):
    return settings.jwt_secret


@pytest.fixture
def claims(people, secret):
    """Offer what a token of alice's says."""
    return jwt.decode(people.alice.token, secret, algorithms=["HS256"])


def verify(client, token):
    return client.with_token(token).get("/auth/verify")


def part(value) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def sign(claims, secret, **header) -> str:
    """Sign what PyJWT would refuse to sign."""
    signed = f"{part({'alg': 'HS256', 'typ': 'JWT'} | header)}.{part(claims)}"
    signature = hmac.digest(secret.encode(), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def assert_does_not_count(answer):
    assert_refused(answer, 401, "token_invalid")
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_token_signed_anew_counts(client, claims, secret):
    assert verify(client, jwt.encode(claims, secret, "HS256")).status_code == 200
    assert verify(client, sign(claims, secret)).status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_scheme_is_case_insensitive(client, people, scheme):
    answer = client.get("/auth/verify", headers={"Authorization": f"{scheme} {people.alice.token}"})
    assert answer.status_code == 200


def test_spaces_around_the_token_are_no_part_of_it(client, people):
    answer = client.get("/auth/verify", headers={"Authorization": f"Bearer   {people.alice.token} "})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic {}", "Token {}", "{}", "Bearer{}", "Bearer,{}"]
)
def test_request_without_a_token_is_told_how_to_send_one(client, people, header):
    headers = {} if header is None else {"Authorization": header.format(people.alice.token)}
    answer = client.get("/auth/verify", headers=headers)
    assert_refused(answer, 401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_token_in_the_query_or_a_cookie_is_no_token(client, people):
    token = people.alice.token
    for answer in (
        client.get(f"/auth/verify?access_token={token}&jwt={token}"),
        client.get("/auth/verify", headers={"Cookie": f"access_token_cookie={token}; token={token}"}),
    ):
        assert_refused(answer, 401, "unauthorized")


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "..",
        ".",
        "null",
        "é.é.é",
        "%00",
        "eyJ.eyJ.eyJ",
        "a b c",
        "x" * 5000,
        "e30.e30.",
        "W10.W10.x",
    ],
)
def test_what_is_no_token_does_not_count(client, token):
    assert_does_not_count(verify(client, token))


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("change", ["cut", "append", "flip", "empty", "swap case"])
def test_token_that_was_tampered_with_does_not_count(client, people, place, change):
    parts = people.alice.token.split(".")
    middle = len(parts[place]) // 2
    text = parts[place]
    parts[place] = {
        "cut": text[:-4],
        "append": text + "AAAA",
        "flip": text[:middle] + ("A" if text[middle] != "A" else "B") + text[middle + 1 :],
        "empty": "",
        "swap case": text.swapcase(),
    }[change]
    assert_does_not_count(verify(client, ".".join(parts)))


@pytest.mark.parametrize("change", [{"id": 1}, {"sub": "1"}, {"role": "admin"}, {"exp": 4_000_000_000}])
def test_claims_cannot_be_changed_without_the_secret(client, people, claims, change):
    head, _, signature = people.alice.token.split(".")
    assert_does_not_count(verify(client, f"{head}.{part(claims | change)}.{signature}"))


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE"])
@pytest.mark.parametrize("signature", ["", "AAAA", "{original}"])
def test_token_without_an_algorithm_does_not_count(client, people, claims, algorithm, signature):
    signature = signature.format(original=people.alice.token.rpartition(".")[2])
    assert_does_not_count(verify(client, f"{part({'alg': algorithm, 'typ': 'JWT'})}.{part(claims)}.{signature}"))


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_token_of_another_algorithm_does_not_count(client, claims, secret, algorithm):
    assert_does_not_count(verify(client, jwt.encode(claims, secret.ljust(64, "x"), algorithm)))
    with pytest.warns(jwt.warnings.InsecureKeyLengthWarning):
        assert_does_not_count(verify(client, jwt.encode(claims, secret, algorithm)))


@pytest.mark.parametrize(
    "foreign", ["another secret, long enough to be one", "change-me-this-sample-is-refused-in-production"]
)
def test_token_of_another_secret_does_not_count(client, claims, foreign):
    assert_does_not_count(verify(client, jwt.encode(claims, foreign, "HS256")))


@pytest.mark.parametrize("kid", ["", "x", "../../dev/null", "' OR 1=1 --", None, 1, [], {}])
def test_key_id_of_a_token_opens_no_door(client, claims, kid):
    foreign = "another secret, long enough to be one"
    assert_does_not_count(verify(client, sign(claims, foreign, kid=kid)))


@pytest.mark.parametrize("claim", CLAIMS)
def test_token_without_a_claim_does_not_count(client, claims, secret, claim):
    del claims[claim]
    assert_does_not_count(verify(client, jwt.encode(claims, secret, "HS256")))


WRONG_IN_ANY_CLAIM = (None, "", 1.5, True, [], {}, [1], {"a": 1})
WRONG = {
    "id": ("x", -1, 0, 2**63, 10**30),
    "sub": ("x", -1, 0, 1, "1" * 300),
    "iat": ("x", "1", -1, 2**63, 10**30),
    "nbf": ("x", "1", 2**63, 10**30),
    "exp": ("x", "4000000000", 4e9, -1, 0),
    "jti": (1, -1, 0, 2**63),
}


@pytest.mark.parametrize(
    ("claim", "value"), [(claim, value) for claim in CLAIMS for value in WRONG_IN_ANY_CLAIM + WRONG[claim]]
)
def test_token_with_a_claim_of_another_type_does_not_count(client, claims, secret, claim, value):
    assert_does_not_count(verify(client, sign(claims | {claim: value}, secret)))


@pytest.mark.parametrize("token_id", ["", "a\0b", "a\nb", "x" * 256])
def test_token_id_is_a_short_line(client, claims, secret, token_id):
    assert_does_not_count(verify(client, jwt.encode(claims | {"jti": token_id}, secret, "HS256")))


def test_token_of_the_future_does_not_count(client, claims, secret):
    later = int(time.time()) + 60
    for change in ({"iat": later}, {"nbf": later}, {"iat": later, "nbf": later}):
        assert_does_not_count(verify(client, jwt.encode(claims | change, secret, "HS256")))


@pytest.mark.parametrize("seconds", [0, 1, 60, 10 * DAY])
def test_expired_token_does_not_count(client, claims, secret, seconds):
    now = int(time.time())
    expired = claims | {"iat": now - 8 * DAY, "nbf": now - 8 * DAY, "exp": now - seconds}
    assert_does_not_count(verify(client, jwt.encode(expired, secret, "HS256")))


def test_token_whose_id_and_subject_differ_does_not_count(client, people, claims, secret):
    for change in ({"id": people.bob.id}, {"sub": str(people.bob.id)}, {"sub": f"0{people.alice.id}"}):
        assert_does_not_count(verify(client, jwt.encode(claims | change, secret, "HS256")))


def test_token_of_a_user_that_never_was_does_not_count(client, claims, secret):
    assert_does_not_count(verify(client, jwt.encode(claims | {"id": 2**62, "sub": str(2**62)}, secret, "HS256")))


def test_token_of_a_removed_user_does_not_count(people, database):
    people.alice.booking()
    rows(database, "DELETE FROM users WHERE id = %s", people.alice.id)
    for answer in (people.alice.get("/users/me"), people.alice.book(), people.alice.post("/auth/logout")):
        assert_does_not_count(answer)


def test_role_is_read_from_the_database(client, people, claims, secret, database):
    pretender = client.with_token(jwt.encode(claims | {"role": "admin"}, secret, "HS256"))
    assert_refused(pretender.get("/users"), 403, "forbidden")
    assert pretender.get("/auth/verify").json["user"]["role"] == "member"
    rows(database, "UPDATE users SET role = 'admin' WHERE id = %s", people.alice.id)
    assert people.alice.get("/users").status_code == 200
    rows(database, "UPDATE users SET role = 'member' WHERE id = %s", people.alice.id)
    assert_refused(people.alice.get("/users"), 403, "forbidden")


def test_address_and_name_are_read_from_the_database(client, claims, secret, people):
    token = jwt.encode(claims | {"email": "x@example.com", "name": "X"}, secret, "HS256")
    assert verify(client, token).json["user"]["email"] == people.alice.email


def test_life_of_a_token_is_a_setting(client, people, secret, settings):
    token = client.post("/auth/login", {"email": people.alice.email, "password": PASSWORD}).json["token"]
    claims = jwt.decode(token, secret, algorithms=["HS256"])
    assert claims["exp"] - claims["iat"] == settings.jwt_expires_days * DAY
