"""A database with a million bookings, notifications and events, and what PostgreSQL does for a statement in it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from psycopg2.extensions import connection as Connection

from tests.databases import ask

MILLION = 1_000_000
# Somebody who has more of everything than a page at a depth of ten thousand rows needs.
HEAVY, HEAVY_ROWS = 1, 12_000
USERS = 12_000
BOOKING = MILLION // 2

LOADED = (
    """
    INSERT INTO users (name, email, password_hash, created_at)
    SELECT 'Person ' || n, 'person' || n || '@example.com', '', now() - random() * interval '1 year'
    FROM generate_series(1, %(users)s) AS n
    """,
    # Everybody belongs to a few organizations; one person owns many.
    """
    INSERT INTO organizations (name, owner_id, created_at)
    SELECT 'Organization ' || n, %(heavy)s, now() - n * interval '1 minute' FROM generate_series(1, %(heavy_rows)s) AS n
    """,
    """
    INSERT INTO organization_members (organization_id, user_id, joined_at)
    SELECT 1 + n %% 600, 1 + n %% %(users)s, now() - n * interval '1 second'
    FROM generate_series(1, 12 * %(users)s) AS n
    ON CONFLICT DO NOTHING
    """,
    # One person in ten has one of everything, one person many; organizations have some, too.
    """
    INSERT INTO schedules (user_id, name, time_zone, rules, is_default)
    SELECT CASE WHEN n %% 10 = 0 THEN 1 + n %% %(users)s ELSE %(heavy)s END, 'Hours', 'Europe/Berlin', '[]', false
    FROM generate_series(1, 2 * %(heavy_rows)s) AS n
    """,
    """
    INSERT INTO event_types (uid, owner_id, organization_id, title, duration_minutes, slot_minutes, assignment)
    SELECT 'link ' || n, CASE WHEN n %% 10 = 0 THEN 1 + n %% %(users)s ELSE %(heavy)s END,
           CASE WHEN n %% 4 = 0 THEN 1 + n %% 600 END, 'Talk', 30, 30, CASE n WHEN 1 THEN 'any' ELSE 'one' END
    FROM generate_series(1, 2 * %(heavy_rows)s) AS n
    """,
    "INSERT INTO event_type_hosts (event_type_id, user_id) SELECT id, owner_id FROM event_types",
    # What guests have booked through one link.
    """
    WITH appointment AS (
        INSERT INTO appointments (uid, event_type_id, title, start_time, end_time, status, guest_address, hold_hash)
        SELECT 'meeting ' || n, event_types.id, 'Meeting ' || n, begins, begins + interval '30 minutes',
               CASE WHEN n %% 400 = 0 THEN 'cancelled' ELSE 'confirmed' END, 'guest' || n || '@example.com',
               sha256(n::text::bytea)
        FROM event_types, generate_series(80, %(million)s, 80) AS n,
             LATERAL (SELECT now() - interval '1 year' + n * interval '1 minute' AS begins) AS entry
        WHERE event_types.uid = 'link 1'
        RETURNING id, guest_address, hold_hash
    )
    INSERT INTO appointment_guests (appointment_id, name, email, time_zone, manage_token_hash)
    SELECT id, 'Guest', guest_address, 'UTC', hold_hash FROM appointment
    """,
    # Neighbours in a table belong to different people; one of them comes again and again.
    """
    INSERT INTO bookings (user_id, title, start_time, end_time, status, exclusive, event_type_uid, appointment_id)
    SELECT owner, 'Meeting ' || n, begins, begins + interval '30 minutes',
           CASE WHEN n %% 10 = 0 AND (n %% 80 > 0 OR n %% 400 = 0) THEN 'cancelled' ELSE 'confirmed' END, n %% 20 = 1,
           CASE WHEN n %% 80 = 0 THEN 'link 1' END, appointments.id
    FROM generate_series(1, %(million)s) AS n
    CROSS JOIN LATERAL (
        SELECT CASE WHEN n %% 80 = 0 THEN %(heavy)s ELSE 1 + n %% %(users)s END AS owner,
               now() - interval '1 year' + n * interval '1 minute' AS begins) AS entry
    LEFT JOIN appointments ON uid = 'meeting ' || n
    """,
    """
    INSERT INTO holds (uid, event_type_id, start_time, end_time, hosts, assignment, address, expires_at)
    SELECT 'hold ' || id, id, now() + id * interval '1 day', now() + id * interval '25 hours', ARRAY[owner_id], '{}',
           '192.0.2.1', now() + interval '1 day'
    FROM event_types ORDER BY id LIMIT 5000
    """,
    """
    INSERT INTO claims (user_id, during, hold_id)
    SELECT host, tstzrange(start_time, end_time), id FROM holds, unnest(hosts) AS host
    WHERE start_time > now() + interval '2 years'
    ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO notifications (user_id, type, title, message, is_read, metadata, created_at)
    SELECT CASE WHEN n %% 80 = 0 THEN %(heavy)s ELSE 1 + n %% %(users)s END, 'BOOKING_CONFIRMED',
           'Booking "Meeting ' || n || '" confirmed', 'Your booking is confirmed for 2030-01-01 10:00 UTC.',
           random() < 0.9, '{}', now() - random() * interval '1 year'
    FROM generate_series(1, %(million)s) AS n
    """,
    """
    INSERT INTO analytics_events (user_id, event_type, metadata, created_at)
    SELECT CASE WHEN n %% 10 > 0 THEN 1 + floor(random() * %(users)s)::bigint END,
           'event_' || floor(20 * random() ^ 2), '{"page": "/pricing"}',
           now() - interval '90 days' + n * interval '90 days' / %(million)s
    FROM generate_series(1, %(million)s) AS n
    """,
    """
    INSERT INTO emails (kind, recipient, data, booking_id, status, settled_at)
    SELECT 'BOOKING_CONFIRMATION', 'person@example.com', '{}', n,
           CASE WHEN n %% 10000 = 0 THEN 'pending' ELSE 'sent' END, now()
    FROM generate_series(1, %(million)s, 10) AS n
    """,
    """
    INSERT INTO idempotency_keys (user_id, key, fingerprint, status, body)
    SELECT 1 + n %% %(users)s, 'key ' || n, '', 201, '{}' FROM generate_series(1, 2 * %(heavy_rows)s) AS n
    """,
    """
    INSERT INTO guest_idempotency_keys (address, path, key, fingerprint, status, body)
    SELECT 'guest' || n %% 100 || '@example.com', '/event-types/link', 'key ' || n, '', 201, '{}'
    FROM generate_series(1, 2 * %(heavy_rows)s) AS n
    """,
)
LARGE = {
    "schedules",
    "event_types",
    "event_type_hosts",
    "holds",
    "claims",
    "bookings",
    "appointments",
    "appointment_guests",
    "notifications",
    "analytics_events_first",
    "emails",
    "analytics_counts",
    "analytics_last_seen",
    "idempotency_keys",
    "guest_idempotency_keys",
}


def load(connection: Connection) -> None:
    """Fill a database of the newest schema."""
    sizes = {"users": USERS, "heavy": HEAVY, "heavy_rows": HEAVY_ROWS, "million": MILLION}
    for statement in LOADED:
        with connection.cursor() as cursor:
            cursor.execute(statement, sizes)


@dataclass(frozen=True)
class Plan:
    """What PostgreSQL did for a statement."""

    root: dict[str, Any]

    @property
    def buffers(self) -> int:
        """Return how many pages were looked at."""
        return self.root["Shared Hit Blocks"] + self.root["Shared Read Blocks"]

    def nodes(self, node: dict[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """Yield every step."""
        node = node or self.root
        yield node
        for part in node.get("Plans", ()):
            yield from self.nodes(part)

    @property
    def read_whole(self) -> set[str]:
        """Return the tables that were read from end to end."""
        return {node["Relation Name"] for node in self.nodes() if node["Node Type"] == "Seq Scan"}

    @property
    def indexes(self) -> set[str]:
        """Return the indexes that were asked."""
        return {node["Index Name"] for node in self.nodes() if "Index Name" in node}


EXPLAIN = "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) "


def plan_of(connection: Connection, text: str, parameters: dict[str, Any]) -> Plan:
    """Run a statement with its parameters in place."""
    with connection.cursor() as cursor:
        cursor.execute(EXPLAIN + text, parameters)
        return Plan(cursor.fetchone()["QUERY PLAN"][0]["Plan"])


def generic_plan_of(connection: Connection, text: str, parameters: dict[str, Any]) -> Plan:
    """Run a statement that was prepared for whatever values; what is absent is absent for good."""
    names = [name for name in dict.fromkeys(re.findall(r"%\((\w+)\)s", text)) if parameters[name] is not None]
    prepared = re.sub(
        r"%\((\w+)\)s", lambda match: f"${names.index(match[1]) + 1}" if match[1] in names else "NULL", text
    ).replace("%%", "%")
    ask(connection, f"SET plan_cache_mode = force_generic_plan; PREPARE generic AS {prepared}")
    try:
        arguments = f"({', '.join(f'%({name})s' for name in names)})" if names else ""
        return plan_of(connection, f"EXECUTE generic{arguments}", parameters)
    finally:
        ask(connection, "DEALLOCATE generic; RESET plan_cache_mode")
