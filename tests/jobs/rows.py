"""Rows of the outbox as a test writes, moves and reads them."""

from typing import Any

from psycopg2.extensions import connection as Connection
from psycopg2.extras import Json

DATA = {
    "name": "Alice",
    "booking_id": 1,
    "title": "Standup",
    "start_time": "2026-12-01T09:00:00+00:00",
    "end_time": "2026-12-01T10:00:00+00:00",
}


class Rows:
    """The outbox, seen from outside; columns are given by name, times as SQL."""

    def __init__(self, database: Connection) -> None:
        self.database = database

    def promise(
        self,
        kind: str = "WELCOME",
        *,
        data: dict[str, Any] | None = None,
        booking_id: int | None = None,
        origin: int | None = None,
    ) -> int:
        """Write an e-mail that is due, and return its id."""
        return self.ask(
            "INSERT INTO emails (kind, recipient, data, booking_id, request_id, origin)"
            " VALUES (%s, 'alice@example.com', %s, %s, 'request-1', %s) RETURNING id",
            (kind, Json(data or DATA), booking_id, origin),
        )["id"]

    def booking(self, person: str = "alice@example.com") -> int:
        """Write a booking and return its id."""
        return self.ask(
            "WITH person AS (INSERT INTO users (name, email, password_hash) VALUES ('Alice', %s, '')"
            " ON CONFLICT (email) DO UPDATE SET name = excluded.name RETURNING id)"
            " INSERT INTO bookings (user_id, title, start_time, end_time)"
            " SELECT id, 'Standup', now(), now() + interval '1 hour' FROM person RETURNING id",
            (person,),
        )["id"]

    def __getitem__(self, email_id: int) -> dict[str, Any]:
        """Read a row, with `wait`: the seconds from now until it is due."""
        return self.ask(
            "SELECT *, extract(epoch FROM next_attempt_at - now())::float8 AS wait FROM emails WHERE id = %s",
            (email_id,),
        )

    def statuses(self) -> list[str]:
        """Return the status of every row, oldest first."""
        return [row["status"] for row in self.ask_all("SELECT status FROM emails ORDER BY id")]

    def move(self, email_id: int, **times: str) -> None:
        """Set times of a row, such as lease_until="now() - interval '1 second'"."""
        changes = ", ".join(f"{name} = {time}" for name, time in times.items())
        self.execute(f"UPDATE emails SET {changes} WHERE id = %s", (email_id,))

    def make_due(self) -> None:
        """Make every row due now."""
        self.execute("UPDATE emails SET next_attempt_at = now()")

    def free_slots(self) -> int:
        """Count the free slots of the rate limit."""
        return self.ask("SELECT count(*) FROM email_rate_slots WHERE free_at <= now()")["count"]

    def ask(self, statement: str, parameters: tuple[Any, ...] = ()) -> dict[str, Any]:
        """Return one row."""
        (row,) = self.ask_all(statement, parameters)
        return row

    def ask_all(self, statement: str, parameters: tuple[Any, ...] = ()) -> list[dict[str, Any]]:
        """Return all rows."""
        with self.database.cursor() as cursor:
            cursor.execute(statement, parameters)
            return [dict(row) for row in cursor.fetchall()]

    def execute(self, statement: str, parameters: tuple[Any, ...] | dict[str, Any] = ()) -> None:
        """Change something."""
        with self.database.cursor() as cursor:
            cursor.execute(statement, parameters)
