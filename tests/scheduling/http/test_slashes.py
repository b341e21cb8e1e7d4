"""A slash at the end of a path counts nowhere; a doubled one leads nowhere. Held for every rule of the URL map."""

import re
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from tests.attack.operations import create_app_without_servers
from tests.people import time_on
from tests.scheduling.answers import assert_refused

NAMES = {"id": "1", "uid": "u" * 22, "name": "docs.js"}


def path_of(rule):
    """Return a path that a rule leads to."""
    return re.sub(r"<(?:(\w+):)?(\w+)>", lambda part: NAMES[part[1] or part[2]], rule)


ROUTES = sorted(
    {
        (method, path_of(rule.rule))
        for rule in create_app_without_servers().url_map.iter_rules()
        for method in {*rule.methods, "PUT"}
        if rule.rule != "/"
    }
)


@pytest.fixture
def send(app):
    """Offer to send exactly a path: a URL that begins with two slashes would name a host, and no document knows it."""
    http = FlaskClient(app, app.response_class)
    return lambda method, path: http.open("/", method=method, environ_overrides={"PATH_INFO": path})


def seen(answer):
    """Return what the same request is answered each time."""
    body = answer.json if answer.data and answer.status_code >= 400 else {}
    return answer.status_code, body.get("code"), body.get("detail"), answer.headers.get("Allow")


def test_every_rule_is_walked():
    assert len(ROUTES) > 100
    assert {("DELETE", f"/api/v1/holds/{NAMES['uid']}"), ("GET", "/docs/docs.js"), ("GET", "/metrics")} <= set(ROUTES)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_slash_at_the_end_makes_no_difference(send, method, path):
    assert seen(send(method, path + "/")) == seen(send(method, path))


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_doubled_slash_leads_nowhere(send, method, path):
    doubled = [path[: each.start()] + "/" + path[each.start() :] for each in re.finditer("/", path)]
    for wrong in [*doubled, path + "//"]:
        answer = send(method, wrong)
        assert (answer.status_code, answer.headers.get("Location")) == (404, None), wrong
        if method != "HEAD":
            assert answer.json["error"] == "Route not found", wrong


def test_method_that_a_route_lacks_is_405_behind_a_slash_too(client):
    for path in ("/bookings/1", "/bookings/1/"):
        answer = client.send("PUT", path)
        assert_refused(answer, 405, "method_not_allowed")
        assert answer.headers["Allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH"


def test_row_is_found_behind_a_slash(people):
    booking = people.alice.booking()
    assert people.alice.get(f"/bookings/{booking['id']}/").json == booking
    assert people.alice.patch(f"/bookings/{booking['id']}/", {"title": "New"}).json["booking"]["title"] == "New"


def test_repeated_write_is_the_same_with_a_slash_and_without(people):
    body = {"title": "x", "start": time_on(1, 9).isoformat(), "end": time_on(1, 10).isoformat()}
    headers = {"Idempotency-Key": uuid4().hex}
    first, again = (people.alice.post(path, body, headers=headers) for path in ("/bookings", "/bookings/"))
    assert (first.status_code, again.status_code, again.json) == (201, 201, first.json)
    assert again.headers["Idempotency-Replayed"] == "true"
