"""What caches between a client and the API may keep, and for whom."""

import re
import socket

import pytest
from flask.testing import FlaskClient

from scheduling.app import create_app
from scheduling.http.headers import HEADERS
from scheduling.server.parse_error import write_refusal
from scheduling.settings import read_settings
from tests.attack.operations import create_app_without_servers
from tests.people import time_on
from tests.scheduling.answers import NOWHERE
from tests.scheduling.appointments.guests import text
from tests.scheduling.http.test_headers import ANSWERS, ORIGIN
from tests.scheduling.http.test_slashes import path_of

PATHS = sorted({path_of(rule.rule) for rule in create_app_without_servers().url_map.iter_rules()})
# What changes only with a release.
KEPT = {"/docs/docs.js": "public, max-age=3600"}


@pytest.mark.parametrize("path", [*PATHS, "/", "/nowhere", "/api/v1/bookings/1/nowhere"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_no_anonymous_answer_is_kept_without_being_asked_for_again(app, path, method):
    answer = FlaskClient(app, app.response_class).open(path, method=method)
    expected = {KEPT.get(path, "no-cache") if answer.status_code == 200 else "no-cache", "no-store"}
    assert set(answer.headers.getlist("Cache-Control")) < expected, answer.headers


@pytest.mark.parametrize("status", [400, 414, 431])
def test_refusal_of_what_is_no_http_is_not_kept_either_and_is_the_same_for_every_origin(status):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        write_refusal(HEADERS, ours, status, "", "")
        head = theirs.recv(65_536).partition(b"\r\n\r\n")[0].decode()
    assert "Cache-Control: no-cache" in head.splitlines()
    assert "Access-Control" not in head


def test_slots_are_asked_for_again_each_time(client, people):
    path, window = (
        f"/event-types/{people.alice.event_type_uid()}/slots",
        {"from": text(time_on(1)), "to": text(time_on(2))},
    )
    answer = client.get(path, query_string=window)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-cache")


@pytest.fixture(scope="module")
def chosen(settings):
    """Offer an application that one origin's pages may call."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CORS_ORIGINS", ORIGIN)
        return create_app(read_settings())


@pytest.mark.parametrize("origin", [None, ORIGIN, "https://evil.example"])
@pytest.mark.parametrize("status", ANSWERS)
def test_answer_that_depends_on_the_origin_says_so(chosen, people, status, origin):
    people.alice.http = FlaskClient(chosen, chosen.response_class)
    people.alice.http.environ_base = {"HTTP_ORIGIN": origin} if origin else {}
    answer = ANSWERS[status](people)
    assert answer.status_code == status
    assert answer.headers.getlist("Vary") == ["Origin"]
    assert answer.headers.get("Access-Control-Allow-Origin") == (origin if origin == ORIGIN else None)


@pytest.mark.parametrize("path", [*PATHS, "/nowhere", f"/api/v1/bookings/{NOWHERE}"])
@pytest.mark.parametrize("method", ["GET", "OPTIONS", "PUT"])
def test_every_path_says_that_its_answer_depends_on_the_origin(chosen, path, method):
    answer = FlaskClient(chosen, chosen.response_class).open(path, method=method)
    assert answer.headers.getlist("Vary") == ["Origin"]


def test_503_says_so_too(monkeypatch, settings):
    monkeypatch.setenv("CORS_ORIGINS", ORIGIN)
    monkeypatch.setenv("DATABASE_URL", re.sub(r":\d+/", ":1/", settings.delivery.database_url))
    away = create_app(read_settings()).test_client()
    answer = away.post("/api/v1/analytics/event", json={"eventType": "x"})
    assert (answer.status_code, answer.headers.getlist("Vary")) == (503, ["Origin"])


@pytest.mark.parametrize("status", ANSWERS)
def test_answer_that_is_the_same_for_every_origin_says_nothing_about_it(people, status):
    assert "Vary" not in ANSWERS[status](people).headers
