"""People: alice owns, bob belongs, carol must not see, admin administers."""

from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import count
from typing import Any

from psycopg2.extensions import connection as Connection

from tests.client import Client

PASSWORD = "correct horse"
_numbers = count(1)


class Person(Client):
    """A registered person, signed in."""

    def __init__(self, client: Client, name: str) -> None:
        self.name = name
        self.email = f"{name.lower()}{next(_numbers)}@example.com"
        answer = client.post("/auth/register", {"name": name, "email": self.email, "password": PASSWORD})
        assert answer.status_code == 201, answer.text
        super().__init__(client.http, answer.json["token"])
        self.id: int = answer.json["user"]["id"]

    def book(self, title: str = "Standup", *, day: int = 1, hour: int = 9, hours: int = 1, **more: Any) -> Any:
        """Book a time `day` days from now and return the answer."""
        start = time_on(day, hour)
        body = {"title": title, "start": start.isoformat(), "end": (start + timedelta(hours=hours)).isoformat()}
        return self.post("/bookings", body | more)

    def booking(self, title: str = "Standup", **options: Any) -> dict[str, Any]:
        """Book a time and return the booking."""
        answer = self.book(title, **options)
        assert answer.status_code == 201, answer.text
        return answer.json["booking"]

    def schedule(self, **more: Any) -> dict[str, Any]:
        """Write down office hours and return the schedule."""
        weekly = {"days": ["MO", "TU", "WE", "TH", "FR"], "start": "09:00", "end": "17:00"}
        body = {"name": "Office", "time_zone": "Europe/Berlin", "rules": [weekly]}
        answer = self.post("/schedules", body | more)
        assert answer.status_code == 201, answer.text
        return answer.json["schedule"]

    def event_type(self, **more: Any) -> dict[str, Any]:
        """Offer half an hour and return the event type."""
        answer = self.post("/event-types", {"title": "Talk", "duration_minutes": 30} | more)
        assert answer.status_code == 201, answer.text
        return answer.json["event_type"]

    def event_type_uid(self, **more: Any) -> str:
        """Make an event type with free slots at any hour, and return its uid."""
        every_day = {"days": ["MO", "TU", "WE", "TH", "FR", "SA", "SU"], "start": "00:00", "end": "24:00"}
        schedule = self.schedule(time_zone="UTC", rules=[every_day])
        uid: str = self.event_type(**{"schedule_id": schedule["id"]} | more)["uid"]
        return uid

    def organization(self, name: str = "Acme", *members: "Person") -> int:
        """Found an organization with members and return its id."""
        organization_id: int = self.post("/organizations", {"name": name}).json["organization"]["id"]
        for member in members:
            answer = self.post(f"/organizations/{organization_id}/members", {"email": member.email})
            assert answer.status_code == 201, answer.text
        return organization_id


class People:
    """Whoever a test asks for, registered when first named."""

    def __init__(self, client: Client, database: Connection) -> None:
        self._client = client
        self._database = database

    @cached_property
    def alice(self) -> Person:
        """Return who owns things."""
        return Person(self._client, "Alice")

    @cached_property
    def bob(self) -> Person:
        """Return who belongs to alice's organizations."""
        return Person(self._client, "Bob")

    @cached_property
    def carol(self) -> Person:
        """Return who must not see anything."""
        return Person(self._client, "Carol")

    @cached_property
    def admin(self) -> Person:
        """Return a platform administrator."""
        person = Person(self._client, "Admin")
        with self._database.cursor() as cursor:
            cursor.execute("UPDATE users SET role = 'admin' WHERE id = %s", (person.id,))
        return person


def time_on(day: int, hour: int = 9) -> datetime:
    """Return an hour, UTC, some days from now."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today + timedelta(days=day, hours=hour)
