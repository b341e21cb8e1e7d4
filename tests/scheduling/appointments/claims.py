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
_BOOKED_IN_PART = """
SELECT uid FROM bookings WHERE uid IS NOT NULL
GROUP BY uid
HAVING count(*) <> cardinality(min(hosts)) OR count(DISTINCT (start_time, end_time, status, version, sequence)) > 1
"""
# Each change is told to the guest and to every host.
_TOLD_OTHERWISE = """
SELECT uid, count(emails.id) FROM bookings LEFT JOIN emails ON booking_id = bookings.id
WHERE uid IS NOT NULL
GROUP BY uid
HAVING count(emails.id) <> (min(sequence) + 1) * (1 + cardinality(min(hosts)))
"""


def assert_whole(connection):
    """Hold the rows against each other: nobody twice, nothing left over, all hosts or none, everybody told once."""
    for statement in (_CLAIMS_TOO_MANY_OR_TOO_FEW, _OVERLAPS, _BOOKED_IN_PART, _TOLD_OTHERWISE):
        with connection.cursor() as cursor:
            cursor.execute(statement)
            assert cursor.fetchall() == []
