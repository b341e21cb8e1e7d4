"""The requests that are measured, whole, as they go over the wire."""

import http.client
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from scripts.bench.seed import PASSWORD
from scripts.stack.databases import ask as ask_database
from scripts.stack.databases import connected
from scripts.stack.errors import StackError
from scripts.stack.servers import HOST

PREFIX = "/api/v1"
ROWS = 20
PEOPLE = 200
VARIANTS = 10_000


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is signed in."""

    token: str = field(repr=False)
    booking_ids: Sequence[int]


@dataclass(frozen=True, slots=True)
class Route:
    """One kind of request: `make` returns one of its many variants, `essence` what all servers must answer alike."""

    name: str
    status: int
    make: Callable[[Person], bytes]
    essence: Callable[[Any], object]

    def variants(self, people: Sequence[Person]) -> list[bytes]:
        """Return requests of many people, different each time."""
        return [self.make(random.choice(people)) for _ in range(VARIANTS)]  # noqa: S311  no secret


def create_booking(person: Person) -> bytes:
    """Return a booking of half an hour within the next two years."""
    start = datetime.now(UTC) + timedelta(minutes=random.randrange(60, 2 * 365 * 24 * 60))  # noqa: S311  no secret
    times = {"start": start.isoformat(), "end": (start + timedelta(minutes=30)).isoformat()}
    return render("POST", f"{PREFIX}/bookings", person.token, {"title": "Meeting about the bench"} | times)


def list_bookings(person: Person) -> bytes:
    """Return the question for a page of bookings."""
    return render("GET", f"{PREFIX}/bookings?limit={ROWS}", person.token)


def read_booking(person: Person) -> bytes:
    """Return the question for one booking."""
    return render("GET", f"{PREFIX}/bookings/{random.choice(person.booking_ids)}", person.token)  # noqa: S311  no secret


def count_notifications(person: Person) -> bytes:
    """Return the question for the unread badge."""
    return render("GET", f"{PREFIX}/notifications/count", person.token)


def create_event(person: Person) -> bytes:
    """Return an event of somebody who is known."""
    metadata = {"page": f"/pages/{random.randrange(100)}", "referrer": "bench"}  # noqa: S311  no secret
    return render("POST", f"{PREFIX}/analytics/event", person.token, {"eventType": "page_view", "metadata": metadata})


def read_dashboard(person: Person) -> bytes:
    """Return the question for the statistics of a month."""
    return render("GET", f"{PREFIX}/analytics/dashboard?days=30", person.token)


def bare(_: Person) -> bytes:
    """Return a request that needs nothing."""
    return render("GET", "/")


def first_page(rows: Any) -> object:
    """Return which bookings are listed."""
    return [row["id"] for row in rows] if len(rows) == ROWS else f"{len(rows)} rows"


def statistics(dashboard: Any) -> object:
    """Return the types of events; their numbers change with time."""
    return sorted(kind["event_type"] for kind in dashboard["breakdown"] if int(kind["count"]))


BARE = Route("the limit", 200, bare, lambda answer: answer["status"])
ROUTES = (
    Route("POST /bookings", 201, create_booking, lambda answer: answer["booking"]["title"]),
    Route(f"GET /bookings ({ROWS} rows)", 200, list_bookings, first_page),
    Route("GET /bookings/:id", 200, read_booking, lambda booking: (booking["id"], booking["title"])),
    Route("GET /notifications/count", 200, count_notifications, lambda answer: answer["unread"]),
    Route("POST /analytics/event", 201, create_event, lambda answer: answer["event"]["event_type"]),
    Route("GET /analytics/dashboard", 200, read_dashboard, statistics),
)


def render(method: str, path: str, token: str | None = None, body: object = None) -> bytes:
    """Return a request as it goes over the wire."""
    content = b"" if body is None else json.dumps(body).encode()
    headers = [f"{method} {path} HTTP/1.1", f"Host: {HOST}", "Accept: application/json", "User-Agent: bench"]
    if token:
        headers.append(f"Authorization: Bearer {token}")
    if content:
        headers += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "\r\n".join([*headers, "", ""]).encode() + content


def sign_in(port: int, database_url: str) -> list[Person]:
    """Sign people in over HTTP, and look up what they have booked."""
    booked = read_booking_ids(database_url)
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    people = []
    try:
        for user_id, booking_ids in booked.items():
            credentials = {"email": f"person{user_id}@example.com", "password": PASSWORD}
            headers = {"Content-Type": "application/json"}
            connection.request("POST", f"{PREFIX}/auth/login", json.dumps(credentials), headers)
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != 200:
                raise StackError(f"Signing in was answered with {answer.status}: {content[:300].decode()}")
            people.append(Person(json.loads(content)["token"], booking_ids))
    finally:
        connection.close()
    return people


def read_booking_ids(database_url: str) -> dict[int, list[int]]:
    """Return people with at least a page of bookings, and the ids of these."""
    statement = (
        "SELECT user_id, array_agg(id ORDER BY id) FROM bookings"
        " WHERE user_id <= %(people)s GROUP BY user_id HAVING count(*) >= %(rows)s ORDER BY user_id"
    )
    with connected(database_url) as connection:
        return dict(ask_database(connection, statement, {"people": PEOPLE, "rows": ROWS}))


def check(route: Route, ports: Mapping[str, int], people: Mapping[str, Sequence[Person]]) -> None:
    """Raise StackError unless all servers give the same answer, and that is what is meant to be measured."""
    essences = {name: ask(route, name, port, people[name][0]) for name, port in ports.items()}
    names = iter(essences)
    first = next(names)
    for other in names:
        if essences[other] != essences[first]:
            raise StackError(
                f"{route.name}: {other} answers {essences[other]!r}, and {first} answers {essences[first]!r}."
            )


def ask(route: Route, server: str, port: int, person: Person) -> object:
    """Return the essence of an answer; raise StackError unless it has the right status and shape."""
    somebody = Person(person.token, person.booking_ids[:1])
    head, _, body = route.make(somebody).partition(b"\r\n\r\n")
    request, *lines = head.decode().split("\r\n")
    method, path, _ = request.split(" ")
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    try:
        headers = dict(line.split(": ", 1) for line in lines)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status != route.status:
        raise StackError(f"{route.name}: {server} answers {answer.status}: {content[:300].decode()}")
    try:
        return route.essence(json.loads(content))
    except (ValueError, LookupError, TypeError):
        raise StackError(f"{route.name}: {server} answers {content[:300].decode()}") from None
