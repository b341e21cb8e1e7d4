"""Pages of a list: limits, cursors, the Link header."""

import base64
import json
import re

import pytest

from scheduling.http.paging import read_cursor
from tests.scheduling.answers import assert_refused, rows

NEXT = re.compile(r'<(?P<path>/api/v1/[^>]*)>; rel="next"')
MANY = 7


def fill(people):
    """Give alice something on every list, several rows at one instant each."""
    alice, admin = people.alice, people.admin
    for number in range(MANY):
        alice.booking(f"Booking {number}", day=1 + number // 3)
        alice.organization(f"Organization {number}")
        alice.post("/analytics/event", {"eventType": "a type"})
    for number in range(0, MANY, 2):
        notification = alice.get("/notifications").json[number // 2]["id"]
        alice.patch(f"/notifications/{notification}/read")
    for person in (people.bob, people.carol):
        organization = alice.get("/organizations").json[0]["id"]
        alice.post(f"/organizations/{organization}/members", {"email": person.email})
    return admin


@pytest.fixture
def lists(people, database):
    """Offer each list: who asks, the path, and the member that identifies a row."""
    admin = fill(people)
    same_instant = "UPDATE {} SET created_at = date_trunc('second', created_at)"
    for table in ("users", "organizations", "notifications", "analytics_events"):
        rows(database, same_instant.format(table))
    rows(database, "UPDATE organization_members SET joined_at = date_trunc('second', joined_at)")
    organization = people.alice.get("/organizations").json[0]["id"]
    return {
        "users": (admin, "/users", "id"),
        "bookings": (people.alice, "/bookings", "id"),
        "confirmed bookings": (people.alice, "/bookings?status=confirmed", "id"),
        "organizations": (people.alice, "/organizations", "id"),
        "joined organizations": (people.alice, "/organizations?membership=member", "id"),
        "members": (people.alice, f"/organizations/{organization}/members", "membership_id"),
        "notifications": (people.alice, "/notifications", "id"),
        "unread notifications": (people.alice, "/notifications/unread", "id"),
        "events": (admin, "/analytics/events", "id"),
        "events of a type": (admin, "/analytics/events?type=a%20type", "id"),
    }


LISTS = [
    "users",
    "bookings",
    "confirmed bookings",
    "organizations",
    "joined organizations",
    "members",
    "notifications",
    "unread notifications",
    "events",
    "events of a type",
]


def next_path(answer):
    match = NEXT.fullmatch(answer.headers.get("Link", ""))
    return match and match["path"].removeprefix("/api/v1")


def with_limit(path, limit):
    return f"{path}{'&' if '?' in path else '?'}limit={limit}"


def walk(person, path):
    """Yield every page of a list."""
    while path:
        answer = person.get(path)
        assert answer.status_code == 200, answer.text
        yield answer.json
        path = next_path(answer)


@pytest.mark.parametrize("name", LISTS)
def test_walk_through_all_pages_sees_each_row_once_in_order(lists, name):
    person, path, key = lists[name]
    everything = person.get(path).json
    assert len(everything) >= 3
    for limit in (1, 2, 3, len(everything)):
        pages = list(walk(person, with_limit(path, limit)))
        assert [row for page in pages for row in page] == everything
        assert all(len(page) == limit for page in pages[:-1])
        assert len(pages[-1]) > 0
    assert len({row[key] for row in everything}) == len(everything)


@pytest.mark.parametrize("name", LISTS)
def test_last_page_announces_no_other(lists, name):
    person, path, _ = lists[name]
    total = len(person.get(path).json)
    assert "Link" not in person.get(path).headers
    assert "Link" not in person.get(with_limit(path, total)).headers
    assert next_path(person.get(with_limit(path, total - 1)))


def test_walk_sees_each_row_once_while_rows_are_added_and_removed(people):
    expected = [people.alice.booking(day=day)["id"] for day in (9, 7, 5, 3)]
    seen = []
    for page in walk(people.alice, "/bookings?limit=1"):
        seen += [booking["id"] for booking in page]
        people.alice.booking("Newer", day=20)
        if len(seen) == 2:
            people.alice.delete(f"/bookings/{seen[0]}")
    assert seen == expected


def test_walk_sees_what_is_added_ahead_of_it(people):
    first, last = people.alice.booking(day=9)["id"], people.alice.booking(day=3)["id"]
    walking = walk(people.alice, "/bookings?limit=1")
    assert next(walking)[0]["id"] == first
    between = people.alice.booking(day=5)["id"]
    assert [page[0]["id"] for page in walking] == [between, last]


def test_walk_through_newest_first_is_not_shifted_by_newer_rows(client, people):
    for number in range(5):
        client.post("/analytics/event", {"eventType": f"{number}"})
    seen = []
    for page in walk(people.admin, "/analytics/events?limit=2"):
        seen += [event["event_type"] for event in page]
        client.post("/analytics/event", {"eventType": "newer"})
    assert seen == ["4", "3", "2", "1", "0"]


def test_next_page_keeps_the_parameters_of_the_first(people, client):
    for _ in range(3):
        client.post("/analytics/event", {"eventType": "a&b=c> d"})
        client.post("/analytics/event", {"eventType": "other"})
    answer = people.admin.get("/analytics/events", query_string={"type": "a&b=c> d", "limit": 1})
    pages = [answer.json, *walk(people.admin, next_path(answer))]
    assert [event["event_type"] for page in pages for event in page] == ["a&b=c> d"] * 3
    assert all(len(page) == 1 for page in pages)


@pytest.mark.parametrize(
    ("query", "rows_answered"), [("", 100), ("?limit=1", 1), ("?limit=101", 101), ("?limit=500", 103)]
)
def test_page_has_100_rows_unless_told(client, people, query, rows_answered, database):
    people.admin  # noqa: B018  registers
    rows(database, "INSERT INTO analytics_events (event_type) SELECT 'x' FROM generate_series(1, 103)")
    assert len(people.admin.get(f"/analytics/events{query}").json) == rows_answered


NO_LIMITS = ["0", "501", "-1", "x", "", "1.5", "1e2", "%201", "+1", "9" * 40, str(2**63), "٣", "null", "2&limit=2"]


@pytest.mark.parametrize("name", LISTS)
def test_limit_is_a_number_from_1_to_500(lists_without_rows, name):
    person, path = lists_without_rows[name]
    for limit in NO_LIMITS:
        assert_refused(person.get(with_limit(path, limit)), 400, "validation_error", "?limit")


@pytest.fixture
def lists_without_rows(people):
    """Offer the lists of a person who has nothing."""
    organization = people.admin.organization()
    paths = {
        "users": "/users",
        "bookings": "/bookings",
        "confirmed bookings": "/bookings?status=confirmed",
        "organizations": "/organizations",
        "joined organizations": "/organizations?membership=member",
        "members": f"/organizations/{organization}/members",
        "notifications": "/notifications",
        "unread notifications": "/notifications/unread",
        "events": "/analytics/events",
        "events of a type": "/analytics/events?type=x",
    }
    return {name: (people.admin, path) for name, path in paths.items()}


def cursor_of(*values):
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


NO_CURSORS = [
    "",
    "x",
    "null",
    "é",
    "%FF",
    "0",
    "a" * 3000,
    cursor_of(),
    cursor_of(1),
    cursor_of("2030-01-01T00:00:00Z"),
    cursor_of("2030-01-01T00:00:00Z", 1, 1),
    cursor_of("2030-01-01T00:00:00Z", "1"),
    cursor_of("2030-01-01T00:00:00Z", 1.5),
    cursor_of("2030-01-01T00:00:00Z", True),
    cursor_of("2030-01-01T00:00:00Z", None),
    cursor_of("2030-01-01T00:00:00Z", 0),
    cursor_of("2030-01-01T00:00:00Z", 2**63),
    cursor_of("2030-01-01T00:00:00Z", 10**300),
    cursor_of("2030-01-01T00:00:00", 1),
    cursor_of("infinity", 1),
    cursor_of("0001-01-01T00:00:00+23:59", 1),
    cursor_of(None, 1),
    cursor_of(1, 1),
    cursor_of(["2030-01-01T00:00:00Z"], 1),
    cursor_of({}, {}),
    base64.urlsafe_b64encode(b'{"a": 1}').decode(),
    base64.urlsafe_b64encode(b"[" * 2000).decode(),
    base64.urlsafe_b64encode(b'["2030-01-01T00:00:00Z\0", 1]').decode(),
]


@pytest.mark.parametrize("name", LISTS)
def test_cursor_that_we_did_not_make_is_refused(lists_without_rows, name):
    person, path = lists_without_rows[name]
    for cursor in NO_CURSORS:
        answer = person.get(f"{with_limit(path, 5)}&cursor={cursor}")
        assert_refused(answer, 400, "validation_error", "?cursor")


def test_cursor_of_another_list_is_refused_where_its_key_differs(people):
    people.alice.booking(day=1)
    people.alice.booking(day=2)
    cursor = next_path(people.alice.get("/bookings?limit=1")).partition("cursor=")[2]
    assert_refused(people.alice.get(f"/notifications?cursor={cursor}"), 400, "validation_error", "?cursor")


def test_cursor_leads_into_ones_own_list_only(people):
    people.alice.booking(day=1)
    people.alice.booking(day=2)
    assert people.carol.get(next_path(people.alice.get("/bookings?limit=1"))).json == []


def test_no_cursor_means_the_beginning():
    assert read_cursor(None, ("created_at", "membership_id")) == {"after_created_at": None, "after_id": None}
