"""What must hold of the rows, whoever has booked, held, moved and cancelled."""

# Each confirmed exclusive entry is claimed with its buffers, and each host of each hold.
_CLAIMS_TOO_MANY_OR_TOO_FEW = """
WITH due AS (
    SELECT user_id, id AS booking_id, NULL::bigint AS hold_id,
           tstzrange(start_time - make_interval(mins => buffer_before_minutes),
                     end_time + make_interval(mins => buffer_after_minutes)) AS during
    FROM bookings WHERE exclusive AND status = 'confirmed'
    UNION ALL
    SELECT host, NULL, holds.id,
           tstzrange(start_time - make_interval(mins => buffer_before_minutes),
                     end_time + make_interval(mins => buffer_after_minutes))
    FROM holds JOIN event_types ON event_types.id = event_type_id, unnest(holds.hosts) AS host
)
(SELECT user_id, booking_id, hold_id, during FROM claims EXCEPT ALL SELECT * FROM due)
UNION ALL
(SELECT * FROM due EXCEPT ALL SELECT user_id, booking_id, hold_id, during FROM claims)
"""
_OVERLAPS = """
SELECT a.id, b.id FROM claims AS a JOIN claims AS b ON a.user_id = b.user_id AND a.id < b.id AND a.during && b.during
"""
# What diaries say of an appointment is what it says itself; all that were chosen are its hosts.
_BOOKED_IN_PART = """
SELECT appointments.uid FROM appointments LEFT JOIN bookings ON appointment_id = appointments.id
GROUP BY appointments.id
HAVING count(bookings.id) <> jsonb_array_length(appointments.assignment -> 'chosen')
    OR bool_or((bookings.title, bookings.start_time, bookings.end_time, bookings.status, bookings.version,
                bookings.buffer_before_minutes, bookings.buffer_after_minutes)
        IS DISTINCT FROM (appointments.title, appointments.start_time, appointments.end_time, appointments.status,
                          appointments.version, appointments.buffer_before_minutes, appointments.buffer_after_minutes))
"""
# The columns that the release before reads say the same; this goes with them.
_OTHERWISE_BEFORE = """
SELECT appointments.uid FROM appointments JOIN bookings ON appointment_id = appointments.id
WHERE (bookings.uid, bookings.sequence, bookings.cancel_reason, bookings.assignment)
    IS DISTINCT FROM (appointments.uid, appointments.sequence, appointments.cancel_reason, appointments.assignment)
   OR bookings.hosts <> ARRAY(
        SELECT host.user_id FROM bookings AS host WHERE host.appointment_id = appointments.id ORDER BY host.user_id)
"""
# Each change is told to the guest and to every host.
_TOLD_OTHERWISE = """
SELECT appointments.uid, count(emails.id)
FROM appointments JOIN bookings ON appointment_id = appointments.id LEFT JOIN emails ON booking_id = bookings.id
GROUP BY appointments.id
HAVING count(emails.id) <> (appointments.sequence + 1) * (1 + count(DISTINCT bookings.id))
"""


def assert_whole(connection):
    """Hold the rows against each other: nobody twice, nothing left over, all hosts or none, everybody told once."""
    for statement in (_CLAIMS_TOO_MANY_OR_TOO_FEW, _OVERLAPS, _BOOKED_IN_PART, _OTHERWISE_BEFORE, _TOLD_OTHERWISE):
        with connection.cursor() as cursor:
            cursor.execute(statement)
            assert cursor.fetchall() == []
