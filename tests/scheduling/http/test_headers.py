"""The headers that every answer bears."""

import pytest

from scheduling.app import create_app
from scheduling.settings import read_settings
from tests.people import PASSWORD
from tests.scheduling.answers import NOWHERE

HELMET = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "X-XSS-Protection": "0",
    "Referrer-Policy": "no-referrer",
    "X-DNS-Prefetch-Control": "off",
    "X-Download-Options": "noopen",
    "X-Permitted-Cross-Domain-Policies": "none",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Origin-Agent-Cluster": "?1",
}
ORIGIN = "https://app.example.com"


def not_modified(people):
    booking = people.alice.booking()
    path = f"/bookings/{booking['id']}"
    return people.alice.get(path, headers={"If-None-Match": people.alice.get(path).headers["ETag"]})


ANSWERS = {
    200: lambda people: people.alice.get("/bookings"),
    201: lambda people: people.alice.book(),
    304: not_modified,
    400: lambda people: people.alice.post("/bookings", {}),
    401: lambda people: people.alice.with_token("x").get("/bookings"),
    403: lambda people: people.alice.get("/users"),
    404: lambda people: people.alice.get(f"/bookings/{NOWHERE}"),
    405: lambda people: people.alice.send("PUT", "/bookings"),
    409: lambda people: [people.alice.book(exclusive=True) for _ in range(2)][1],
    412: lambda people: people.alice.delete(f"/bookings/{people.alice.booking()['id']}", headers={"If-Match": '"x"'}),
    413: lambda people: people.alice.post("/bookings", data=b"x" * 70_000),
    415: lambda people: people.alice.post("/bookings", data=b"x", content_type="text/plain"),
}


@pytest.mark.parametrize("status", ANSWERS)
def test_every_answer_bears_the_headers_of_helmet(people, status):
    answer = ANSWERS[status](people)
    assert answer.status_code == status
    assert {name: answer.headers.getlist(name) for name in HELMET} == {name: [value] for name, value in HELMET.items()}
    assert "max-age=31536000" in answer.headers["Strict-Transport-Security"]
    assert answer.headers["X-Request-ID"]
    assert "X-Powered-By" not in answer.headers


@pytest.mark.parametrize("status", ANSWERS)
def test_answer_to_who_showed_a_token_is_not_stored(people, status):
    assert ANSWERS[status](people).headers.getlist("Cache-Control") == ["no-store"]


def test_answer_that_carries_a_token_is_not_stored(client, people):
    credentials = {"email": people.alice.email, "password": PASSWORD}
    for answer in (
        client.post("/auth/login", credentials),
        client.post("/auth/login", credentials | {"password": "not it"}),
        client.post("/auth/login", {}),
        client.post("/auth/register", {}),
        client.post("/auth/register", credentials | {"name": "Dora", "email": "dora@example.com"}),
        client.get("/auth/verify"),
        client.get("/bookings"),
    ):
        assert answer.headers.getlist("Cache-Control") == ["no-store"]


@pytest.mark.parametrize("path", ["//health", "//openapi.json", "//docs"])
def test_public_pages_have_no_token_to_hide(client, path):
    assert client.get(path).headers.get("Cache-Control") != "no-store"


@pytest.mark.parametrize("given", ["a", "a-b_c.d:e-1", "x" * 128, "0"])
def test_request_id_of_the_client_is_taken(client, given):
    answer = client.get("/nowhere", headers={"X-Request-ID": given})
    assert answer.headers["X-Request-ID"] == answer.json["request_id"] == given


@pytest.mark.parametrize("given", ["", " ", "x" * 129, "a b", "é", "<script>", "a\x7f", "a;b", '"', "a,b"])
def test_request_id_that_is_none_is_replaced(client, given):
    answer = client.get("/nowhere", headers={"X-Request-ID": given})
    assert answer.headers["X-Request-ID"] == answer.json["request_id"] != given
    assert len(answer.headers["X-Request-ID"]) == 32


def test_every_request_has_an_id_of_its_own(client):
    assert len({client.get("//health").headers["X-Request-ID"] for _ in range(5)}) == 5


@pytest.mark.parametrize("status", [200, 400, 401, 404, 413])
def test_any_origin_may_read_answers_unless_told(people, status):
    people.alice.http.environ_base["HTTP_ORIGIN"] = ORIGIN
    answer = ANSWERS[status](people)
    assert answer.headers["Access-Control-Allow-Origin"] in ("*", ORIGIN)
    assert "Access-Control-Allow-Credentials" not in answer.headers
    exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"ETag", "Link", "Retry-After", "X-Request-ID"} <= set(exposed)


def preflight(client, path="/bookings", method="PATCH", origin=ORIGIN):
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization, content-type, if-match",
    }
    return client.send("OPTIONS", path, headers=headers)


def test_browser_may_ask_before_it_writes(client):
    answer = preflight(client)
    assert answer.status_code == 200
    assert {"GET", "POST", "PATCH", "DELETE"} <= set(answer.headers["Access-Control-Allow-Methods"].split(", "))
    assert {"authorization", "content-type", "if-match"} <= set(
        answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
    )
    assert int(answer.headers["Access-Control-Max-Age"]) > 0
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (ORIGIN, True),
        ("https://admin.example.com", True),
        ("https://evil.example", False),
        ("http://app.example.com", False),
        ("https://app.example.com.evil.example", False),
        ("https://app-example.com", False),
        ("https://app.example.com:8443", False),
        ("null", False),
    ],
)
def test_only_the_origins_that_are_set_are_allowed(settings, monkeypatch, origin, allowed):
    monkeypatch.setenv("CORS_ORIGINS", f"{ORIGIN},https://admin.example.com")
    answer = create_app(read_settings()).test_client().get("/health", headers={"Origin": origin})
    assert answer.headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)
    assert "Origin" in answer.headers.get("Vary", "") or not allowed
