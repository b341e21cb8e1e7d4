"""What is left when a run is over: the history of the clients, the rows of PostgreSQL, the record of the provider."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg2
from psycopg2.extras import RealDictCursor

from scripts.chaos.history import Incident, Operation
from scripts.chaos.provider import Offer


@dataclass(frozen=True, slots=True)
class BookingRow:
    """A booking and whose it is."""

    id: int
    email: str
    title: str
    status: str
    version: int
    exclusive: bool
    start_time: datetime
    end_time: datetime


@dataclass(frozen=True, slots=True)
class AppointmentRow:
    """A booking by a guest, as one of its hosts has it; `hosts` is how many have it."""

    id: int
    email: str
    uid: str
    event_type_uid: str
    hosts: int
    guest: str
    guest_email: str
    title: str
    status: str
    version: int
    sequence: int
    start_time: datetime
    end_time: datetime
    claim_start: datetime
    claim_end: datetime


@dataclass(frozen=True, slots=True)
class HoldRow:
    """A time that is held for a guest: of which hosts, by address."""

    id: int
    uid: str
    emails: list[str]
    claim_start: datetime
    claim_end: datetime
    has_run_out: bool


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """Time of a person that is taken, by a booking or by a hold."""

    email: str
    claim_start: datetime
    claim_end: datetime
    booking_id: int | None
    hold_id: int | None


@dataclass(frozen=True, slots=True)
class NotificationRow:
    """A notification: whose it is, and which booking or organization it is about."""

    email: str
    type: str
    booking_id: int | None
    organization_id: int | None


@dataclass(frozen=True, slots=True)
class EmailRow:
    """A row of the outbox."""

    id: int
    kind: str
    recipient: str
    status: str
    key: str
    booking_id: int | None
    organization_id: int | None
    last_error: str | None
    attempts: int = 1
    created_at: datetime | None = None
    put_off_until: datetime | None = None
    # Of what a calendar is told: which change of the booking this is.
    sequence: int | None = None


@dataclass(frozen=True, slots=True)
class OrganizationRow:
    """An organization and who was invited to it, by address."""

    id: int
    name: str
    email: str
    members: list[str]


@dataclass(frozen=True, slots=True)
class AuditRow:
    """Who claimed or settled a mail, in the order of the database, and when: in seconds since the epoch."""

    email_id: int
    who: str
    claims: bool
    at: float = 0.0


@dataclass
class Evidence:
    """All that the checks read."""

    operations: list[Operation] = field(default_factory=list)
    offers: list[Offer] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    bookings: list[BookingRow] = field(default_factory=list)
    appointments: list[AppointmentRow] = field(default_factory=list)
    holds: list[HoldRow] = field(default_factory=list)
    claims: list[ClaimRow] = field(default_factory=list)
    notifications: list[NotificationRow] = field(default_factory=list)
    emails: list[EmailRow] = field(default_factory=list)
    organizations: list[OrganizationRow] = field(default_factory=list)
    audit: list[AuditRow] = field(default_factory=list)
    connections: dict[str, int] = field(default_factory=dict)
    connection_limits: dict[str, int] = field(default_factory=dict)


_USERS = "SELECT email FROM users"
_BOOKINGS = """
SELECT bookings.id, email, title, status, version, exclusive, start_time, end_time
FROM bookings JOIN users ON users.id = user_id
WHERE appointment_id IS NULL
"""
_APPOINTMENTS = """
SELECT bookings.id, users.email, appointments.uid, bookings.event_type_uid,
       jsonb_array_length(appointments.assignment -> 'chosen') AS hosts,
       guest.name AS guest, guest.email AS guest_email,
       bookings.title, bookings.status, bookings.version, appointments.sequence, bookings.start_time, bookings.end_time,
       bookings.start_time - make_interval(mins => appointments.buffer_before_minutes) AS claim_start,
       bookings.end_time + make_interval(mins => appointments.buffer_after_minutes) AS claim_end
FROM bookings
JOIN users ON users.id = user_id
JOIN appointments ON appointments.id = bookings.appointment_id
JOIN appointment_guests AS guest ON guest.appointment_id = appointments.id
ORDER BY bookings.id
"""
_HOLDS = """
SELECT holds.id, holds.uid,
       (SELECT array_agg(email) FROM users WHERE users.id = ANY(hosts)) AS emails,
       start_time - make_interval(mins => buffer_before_minutes) AS claim_start,
       end_time + make_interval(mins => buffer_after_minutes) AS claim_end,
       -- Whoever forgets them looks once a minute.
       expires_at < now() - interval '3 minutes' AS has_run_out
FROM holds JOIN event_types ON event_types.id = event_type_id
"""
_CLAIMS = """
SELECT email, lower(during) AS claim_start, upper(during) AS claim_end, booking_id, hold_id
FROM claims JOIN users ON users.id = user_id
"""
_NOTIFICATIONS = """
SELECT email, type, (metadata->>'booking_id')::bigint AS booking_id,
       (metadata->>'organization_id')::bigint AS organization_id
FROM notifications JOIN users ON users.id = user_id
"""
_EMAILS = """
SELECT id, kind, recipient, status, idempotency_key::text AS key, booking_id,
       (data->>'organization_id')::bigint AS organization_id, last_error, attempts, created_at, put_off_until,
       (data->>'sequence')::integer AS sequence
FROM emails ORDER BY id
"""
_ORGANIZATIONS = """
SELECT organizations.id, organizations.name, owner.email,
       array_agg(member.email ORDER BY member.email) FILTER (WHERE member.id <> owner.id) AS members
FROM organizations
JOIN users AS owner ON owner.id = owner_id
JOIN organization_members ON organization_id = organizations.id
JOIN users AS member ON member.id = user_id
GROUP BY organizations.id, organizations.name, owner.email
"""
_AUDIT = "SELECT email_id, who, claims, at FROM chaos_audit ORDER BY id"
_CONNECTIONS = "SELECT usename, count(*) FROM pg_stat_activity WHERE datname = current_database() GROUP BY usename"


def read_database(url: str, evidence: Evidence) -> None:
    """Add what PostgreSQL has."""
    connection = psycopg2.connect(url, cursor_factory=RealDictCursor)
    try:
        with connection.cursor() as cursor:

            def rows(statement: str) -> list[dict[str, Any]]:
                cursor.execute(statement)
                return [dict(row) for row in cursor.fetchall()]

            evidence.users = [row["email"] for row in rows(_USERS)]
            evidence.bookings = [BookingRow(**row) for row in rows(_BOOKINGS)]
            evidence.appointments = [AppointmentRow(**row) for row in rows(_APPOINTMENTS)]
            evidence.holds = [HoldRow(**row) for row in rows(_HOLDS)]
            evidence.claims = [ClaimRow(**row) for row in rows(_CLAIMS)]
            evidence.notifications = [NotificationRow(**row) for row in rows(_NOTIFICATIONS)]
            evidence.emails = [EmailRow(**row) for row in rows(_EMAILS)]
            evidence.organizations = [
                OrganizationRow(**row | {"members": row["members"] or []}) for row in rows(_ORGANIZATIONS)
            ]
            evidence.audit = [AuditRow(**row) for row in rows(_AUDIT)]
            evidence.connections = {row["usename"]: row["count"] for row in rows(_CONNECTIONS)}
    finally:
        connection.close()


def count_emails(url: str) -> dict[str, int]:
    """Count the rows of the outbox by status."""
    connection = psycopg2.connect(url, connect_timeout=2)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 2000")
            cursor.execute("SELECT status, count(*) FROM emails GROUP BY status")
            return dict(cursor.fetchall())
    finally:
        connection.close()
