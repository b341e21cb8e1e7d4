"""What guests booked before gets its appointment while the release before goes on writing, in both directions."""

import threading
import time
from contextlib import contextmanager

import pytest

from sql.migrator import apply_migration, create_ledger, load_migrations
from tests.databases import ask, connected, empty_database
from tests.waiting import eventually

BEFORE = next(migration.version for migration in load_migrations() if migration.name == "appointments") - 1
ENTRIES, OWNERS = 5000, 50
# As long as a request waits for a lock.
PATIENCE_SECONDS = 2

LOADED = """
INSERT INTO users (name, email, password_hash)
SELECT 'Person', n || '@example.com', '' FROM generate_series(1, %(owners)s) AS n;
INSERT INTO event_types (uid, owner_id, title, duration_minutes, slot_minutes, assignment)
SELECT 'type ' || id, id, 'Talk', 30, 30, 'one' FROM users;
INSERT INTO bookings (user_id, title, start_time, end_time)
SELECT 1 + n %% %(owners)s, 'Own', now(), now() + interval '1 hour'
FROM generate_series(1, %(entries)s) AS n;
INSERT INTO bookings (user_id, title, start_time, end_time, status, exclusive, uid, event_type_uid, hosts, guest,
                      assignment, manage_token_hash, buffer_after_minutes, version, sequence)
SELECT host, 'Meeting ' || n, begins, begins + interval '30 minutes',
       CASE WHEN n %% 7 = 0 THEN 'cancelled' ELSE 'confirmed' END, true, 'uid ' || n, 'type ' || host, hosts,
       jsonb_build_object('name', 'Gail', 'email', n || '@example.com', 'time_zone', 'UTC', 'notes', 'None'),
       jsonb_build_object('mode', 'all', 'chosen', hosts, 'passed_over', '[]'::jsonb), sha256(n::text::bytea), 10, 3, 2
FROM generate_series(1, %(entries)s / 5) AS n,
     LATERAL (SELECT now() + n * interval '1 hour' AS begins,
                     ARRAY[1 + n %% (%(owners)s - 1), %(owners)s] AS hosts) AS meeting, unnest(hosts) AS host;
"""
# What the release before does when a guest moves or renames what they booked.
CHANGE_BEFORE = """
BEGIN;
UPDATE bookings SET title = title || '!', sequence = sequence + 1, version = version + 1, updated_at = now()
WHERE uid = %s AND status = 'confirmed';
COMMIT
"""
DIFFERENT = """
SELECT bookings.id FROM bookings LEFT JOIN appointments ON appointments.id = appointment_id
LEFT JOIN appointment_guests AS guest USING (appointment_id)
WHERE bookings.uid IS NOT NULL AND (
    bookings.uid, bookings.title, bookings.start_time, bookings.end_time, bookings.status, bookings.version,
    bookings.sequence, bookings.assignment, bookings.buffer_after_minutes, bookings.guest ->> 'email',
    bookings.manage_token_hash, bookings.created_at, bookings.updated_at
) IS DISTINCT FROM (
    appointments.uid, appointments.title, appointments.start_time, appointments.end_time, appointments.status,
    appointments.version, appointments.sequence, appointments.assignment, appointments.buffer_after_minutes,
    guest.email, guest.manage_token_hash, appointments.created_at, appointments.updated_at)
"""


@pytest.fixture
def loaded(environment):
    """Offer the address of a database as the release before leaves it."""
    with empty_database() as url, connected(url) as connection:
        create_ledger(connection)
        for migration in load_migrations()[:BEFORE]:
            apply_migration(connection, migration)
        with connection.cursor() as cursor:
            cursor.execute(LOADED, {"entries": ENTRIES, "owners": OWNERS})
        yield url


def migrate(connection, upto=None):
    for migration in load_migrations()[BEFORE:upto]:
        apply_migration(connection, migration)


@contextmanager
def writing(url, waits):
    """Let the release before change what guests booked meanwhile, and write down how long each change waits."""
    ended = threading.Event()

    def write():
        with connected(url) as connection:
            ask(connection, f"SET lock_timeout = '{PATIENCE_SECONDS}s'")
            number = 0
            while not ended.is_set():
                number = number % (ENTRIES // 5) + 1
                begun = time.monotonic()
                ask(connection, CHANGE_BEFORE, f"uid {number}")
                waits.append(time.monotonic() - begun)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        ended.set()
        writer.join()


def test_every_booking_gets_its_appointment_beside_a_writer_of_the_release_before(loaded):
    waits = []
    with connected(loaded) as connection:
        with writing(loaded, waits):
            migrate(connection)
        assert ask(connection, DIFFERENT) == []
        (counted,) = ask(
            connection,
            "SELECT (SELECT count(*) FROM appointments) AS appointments, count(*) AS entries FROM bookings"
            " WHERE appointment_id IS NOT NULL",
        )
    assert counted == {"appointments": ENTRIES // 5, "entries": 2 * ENTRIES // 5}
    assert waits
    assert max(waits) < PATIENCE_SECONDS


def test_entries_of_which_one_is_locked_are_tried_again(loaded):
    with connected(loaded) as connection, connected(loaded) as other:
        migrate(connection, upto=BEFORE + 3)
        ask(other, "BEGIN; SELECT FROM bookings WHERE uid = 'uid 600' FOR UPDATE")
        backfill = threading.Thread(target=migrate_on, args=(loaded,))
        backfill.start()
        left = "SELECT count(*) AS count FROM bookings WHERE uid IS NOT NULL AND appointment_id IS NULL"
        # The thousand entries with the locked one are left, and no other.
        eventually(lambda: ask(connection, left) == [{"count": 1000}])
        ask(other, "COMMIT")
        backfill.join()
        assert ask(connection, left) == [{"count": 0}]
        assert ask(connection, DIFFERENT) == []


def migrate_on(url):
    with connected(url) as connection:
        apply_migration(connection, load_migrations()[BEFORE + 3])


def test_each_release_sees_what_the_other_writes(loaded):
    with connected(loaded) as connection:
        migrate(connection)
        ask(connection, CHANGE_BEFORE, "uid 1")
        (moved,) = ask(connection, "SELECT title, version, sequence FROM appointments WHERE uid = 'uid 1'")
        assert moved == {"title": "Meeting 1!", "version": 4, "sequence": 3}
        ask(
            connection,
            "WITH appointment AS (UPDATE appointments SET status = 'cancelled', cancel_reason = 'Ill', sequence = 4"
            " WHERE uid = 'uid 1' RETURNING id, status)"
            " UPDATE bookings SET status = appointment.status FROM appointment WHERE appointment_id = appointment.id",
        )
        seen = ask(connection, "SELECT status, sequence, cancel_reason FROM bookings WHERE uid = 'uid 1'")
        assert seen == [{"status": "cancelled", "sequence": 4, "cancel_reason": "Ill"}] * 2
        assert ask(connection, DIFFERENT) == []


def test_appointment_goes_with_its_last_host(loaded):
    with connected(loaded) as connection:
        migrate(connection)
        for left in (1, 0):
            ask(connection, "DELETE FROM bookings WHERE id = (SELECT min(id) FROM bookings WHERE uid = 'uid 3')")
            assert ask(connection, "SELECT count(*) AS count FROM appointments WHERE uid = 'uid 3'") == [
                {"count": left}
            ]
