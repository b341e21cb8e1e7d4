"""Behind a proxy that serves the API below a path of its own: X-Forwarded-Prefix."""

import re
from dataclasses import replace

import pytest

from scheduling.app import create_app
from tests.client import Client, ConformingClient
from tests.people import People, time_on

PREFIX = {"X-Forwarded-Prefix": "/team/scheduling"}


@pytest.fixture
def behind(settings, database):
    """Offer people behind one trusted proxy."""

    def make(trusted=1):
        app = create_app(replace(settings, trusted_proxies=trusted))
        app.test_client_class = ConformingClient
        return People(Client(app.test_client()), database)

    return make


def book(person, headers):
    start = time_on(2).isoformat()
    return person.post("/bookings", {"title": "x", "start": start, "end": time_on(2, 10).isoformat()}, headers=headers)


def test_prefix_moves_locations_links_and_redirects(behind):
    alice = behind().alice
    created, _ = (book(alice, PREFIX) for _ in range(2))
    assert created.headers["Location"] == f"/team/scheduling/api/v1/bookings/{created.json['booking']['id']}"
    page = alice.get("/bookings?limit=1", headers=PREFIX)
    assert page.headers["Link"].startswith("</team/scheduling/api/v1/bookings?limit=1&cursor=")
    # The proxy takes the prefix from the path.
    target = re.search("<([^>]+)>", page.headers["Link"])[1].removeprefix("/team/scheduling/api/v1")
    assert len(alice.get(target, headers=PREFIX).json) == 1
    assert alice.get("//", headers=PREFIX).headers["Location"] == "/team/scheduling/docs"


def test_prefix_moves_the_reference_and_the_document(behind):
    alice = behind().alice
    page = alice.get("//docs", headers=PREFIX).text
    assert len(re.findall(r'(?:src|href)="/team/scheduling/docs/', page)) == 5
    assert 'data-document="/team/scheduling/openapi.json"' in page
    assert not re.search(r'"/(?:docs|openapi)', page)
    assert alice.get("//openapi.json", headers=PREFIX).json["servers"] == [{"url": "/team/scheduling"}]
    assert alice.get("//openapi.json").json["servers"] == [{"url": "/"}]


def test_replay_has_the_location_too(behind):
    alice = behind().alice
    first, again = (book(alice, PREFIX | {"Idempotency-Key": "one"}) for _ in range(2))
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["Location"] == first.headers["Location"]


def test_prefix_of_a_client_does_nothing_without_a_trusted_proxy(behind):
    alice = behind(trusted=0).alice
    assert book(alice, PREFIX).headers["Location"].startswith("/api/v1/bookings/")
    assert "team" not in alice.get("//docs", headers=PREFIX).text


@pytest.mark.parametrize(
    "prefix",
    [
        "//evil.example",
        "/a//evil.example",
        "https://evil.example",
        "evil",
        "/a/../b",
        "/.",
        "/a b",
        "/a%2fb",
        '/"><script>',
        "/é",
        "/\\evil",
        "/" + "a" * 300,
    ],
)
def test_prefix_that_is_no_plain_path_is_ignored(behind, prefix):
    alice = behind().alice
    header = {"X-Forwarded-Prefix": prefix.encode().decode("latin-1")}
    assert alice.get("//", headers=header).headers["Location"] == "/docs"
    assert 'data-document="/openapi.json"' in alice.get("//docs", headers=header).text


def test_slash_at_the_end_of_a_prefix_counts_for_nothing(behind):
    assert behind().alice.get("//", headers={"X-Forwarded-Prefix": "/team/"}).headers["Location"] == "/team/docs"


def test_prefix_is_that_of_the_nearest_proxy(behind):
    header = {"X-Forwarded-Prefix": "/of-the-client, /team"}
    assert behind().alice.get("//", headers=header).headers["Location"] == "/team/docs"
