"""Write analytics events, and compare the dashboard with them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg2.extensions import connection as Connection

from sql.queries import analytics

# The dashboard without a rollup: it counts all events each time.
PLAIN = """
SELECT event_type, count(*) AS count, count(DISTINCT user_id) AS unique_users,
       min(created_at) AS first_event, max(created_at) AS last_event
FROM analytics_events
WHERE created_at >= now() - make_interval(days => %(days)s)
GROUP BY GROUPING SETS ((event_type), ())
ORDER BY grouping(event_type) DESC, count(*) DESC, event_type
"""
PERIODS = (1, 30, 366)


class Events:
    """The events in the database; `within` another connection, a test leaves a transaction open."""

    def __init__(self, database: Connection) -> None:
        self.database = database

    def person(self, number: int) -> int:
        """Write a person and return their id."""
        (row,) = self.ask(
            "INSERT INTO users (name, email, password_hash) VALUES ('Person', %s, '') RETURNING id",
            (f"person{number}@example.com",),
        )
        return row["id"]

    def log(
        self,
        user_id: int | None = None,
        event_type: str = "click",
        ago: timedelta = timedelta(0),
        within: Connection | None = None,
    ) -> None:
        """Write an event that happened some time ago, within a transaction or in one of its own."""
        with (within or self.database).cursor() as cursor:
            cursor.execute(
                "INSERT INTO analytics_events (user_id, event_type, created_at) VALUES (%s, %s, %s)",
                (user_id, event_type, datetime.now(UTC) - ago),
            )

    def ask(self, statement: str, parameters: Any = None) -> list[dict[str, Any]]:
        """Return the rows of a statement, if it has any."""
        with self.database.cursor() as cursor:
            cursor.execute(statement, parameters)
            return [dict(row) for row in cursor.fetchall()] if cursor.description else []

    def waiting(self) -> int:
        """Count the events that the rollup has not added up."""
        (row,) = self.ask(
            "SELECT count(*) FROM analytics_events AS event, analytics_rollup"
            " WHERE (event.recorded_by, event.id) > (analytics_rollup.recorded_by, analytics_rollup.event_id)"
        )
        return row["count"]

    def dashboard(self, days: int = 30) -> list[dict[str, Any]]:
        """Return the rows of the dashboard."""
        return self.ask(analytics.select_event_statistics.sql, {"days": days})

    def check(self, *instants: datetime) -> None:
        """Compare the dashboard, now and at other instants, with the events in one snapshot of the database."""
        self.ask("BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL TimeZone = 'UTC'")
        try:
            for now in ("now()", *(f"'{instant.isoformat()}'::timestamptz" for instant in instants)):
                for days in PERIODS:
                    expected, got = (
                        self.ask(text.replace("now()", now), {"days": days})
                        for text in (PLAIN, analytics.select_event_statistics.sql)
                    )
                    assert got == expected, f"{days} days before {now}"
        finally:
            self.ask("ROLLBACK")
