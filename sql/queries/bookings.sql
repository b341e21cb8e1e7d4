-- Who writes an exclusive entry, or changes an entry, locks the diary (lock_diary); ordinary entries share it
-- (share_diary). The lock is a statement of its own so that the next one sees what was committed meanwhile.
-- conflicts_in_diary tells what an entry overlaps. jobs/notifications.py has the words of notifications.

-- name: insert_booking(user_id, title, start_time, end_time, exclusive, notification_title, notification_message, request_id)^
-- Book a time, with its notification and its e-mail. A row without id: the time is taken.
SELECT CASE WHEN :exclusive THEN lock_diary(:user_id) ELSE share_diary(:user_id) END;
WITH overlap AS MATERIALIZED (
    SELECT conflicts, is_held
    FROM conflicts_in_diary(:user_id, :start_time::timestamptz, :end_time::timestamptz, NULL, :exclusive)
), booking AS (
    INSERT INTO bookings (user_id, title, start_time, end_time, exclusive)
    SELECT :user_id, :title, :start_time::timestamptz, :end_time::timestamptz, :exclusive
    FROM overlap
    WHERE NOT (:exclusive AND (conflicts <> '{}' OR is_held))
    RETURNING id, user_id, title, start_time, end_time, status, exclusive, version, created_at, updated_at
), notification AS (
    INSERT INTO notifications (user_id, type, title, message, metadata)
    SELECT user_id, 'BOOKING_CONFIRMED', format(:notification_title, title),
           format(:notification_message, title, utc_text(start_time)), jsonb_build_object('booking_id', id)
    FROM booking
), email AS (
    INSERT INTO emails (kind, recipient, data, booking_id, request_id)
    SELECT 'BOOKING_CONFIRMATION', users.email,
           jsonb_build_object('name', users.name, 'booking_id', booking.id, 'title', title,
                              'start_time', start_time, 'end_time', end_time,
                              'uid', diary_uid(booking.id, booking.created_at), 'sequence', version - 1),
           booking.id, :request_id
    FROM booking JOIN users ON users.id = booking.user_id
    RETURNING id
)
SELECT booking.id, user_id, title, start_time, end_time, status, exclusive, version, created_at, updated_at,
       NULL AS uid, NULL AS event_type_uid, NULL AS guest, ARRAY[user_id] AS hosts, NULL AS assignment, conflicts,
       email.id AS email_id
FROM overlap LEFT JOIN booking ON true LEFT JOIN email ON true;

-- name: select_bookings(user_id, status, overlaps_from, overlaps_to, after_start_time, after_id, limit)
-- List a person's bookings, latest first, optionally those of one status or overlapping [from, to).
SELECT id, user_id, title, start_time, end_time, status, exclusive, version, created_at, updated_at,
       uid, event_type_uid, guest, hosts, assignment
FROM diary
WHERE user_id = :user_id
  AND (:status::text IS NULL OR status = :status)
  AND start_time < coalesce(:overlaps_to::timestamptz, 'infinity')
  AND start_time > coalesce(:overlaps_from::timestamptz, '-infinity') - interval '366 days'
  AND end_time > coalesce(:overlaps_from::timestamptz, '-infinity')
  AND (start_time, id)
    < (coalesce(:after_start_time::timestamptz, 'infinity'), coalesce(:after_id::bigint, 9223372036854775807))
ORDER BY start_time DESC, id DESC
LIMIT :limit;

-- name: select_booking(booking_id, user_id)^
-- Find one booking of a person.
SELECT id, user_id, title, start_time, end_time, status, exclusive, version, created_at, updated_at,
       uid, event_type_uid, guest, hosts, assignment
FROM diary
WHERE id = :booking_id AND user_id = :user_id;

-- name: lock_booking(booking_id, user_id)!
-- Lock the diary of a person who has an entry, and the diaries of the other hosts where a guest booked it.
SELECT lock_diaries(hosts) FROM diary WHERE id = :booking_id AND user_id = :user_id;

-- name: change_booking(booking_id, user_id, title, start_time, end_time, versions)^
-- Change an own entry as a whole; what changes nothing leaves it as it is. No row: not there. A refusal says why nothing
-- was changed. An entry that a guest booked is only judged: its appointment is changed with the entries of all hosts.
WITH target AS MATERIALIZED (
    SELECT id, user_id, status, exclusive, version, created_at, updated_at, uid, event_type_uid, guest, hosts, assignment,
           appointment_id, buffer_before_minutes, buffer_after_minutes,
           -- An entry that was laid over an exclusive one does not keep it from being renamed.
           start_time <> coalesce(:start_time::timestamptz, start_time)
               OR end_time <> coalesce(:end_time::timestamptz, end_time) AS moves,
           title <> coalesce(:title, title) AS is_renamed,
           coalesce(:title, title) AS title,
           coalesce(:start_time::timestamptz, start_time) AS start_time,
           coalesce(:end_time::timestamptz, end_time) AS end_time
    FROM diary
    WHERE id = :booking_id AND user_id = :user_id
), verdict AS MATERIALIZED (
    SELECT target.*, CASE WHEN in_the_way > 0 AND moves THEN own ELSE conflicts END AS conflicts,
           CASE WHEN end_time <= start_time THEN 'bookings_interval_check'
                WHEN end_time - start_time > interval '366 days' THEN 'bookings_duration_check'
                WHEN NOT version = ANY(coalesce(:versions::bigint[], ARRAY[version])) THEN 'precondition_failed'
                WHEN status = 'cancelled' THEN 'booking_cancelled'
                WHEN moves AND (in_the_way > 0 OR (appointment_id IS NULL AND exclusive AND (conflicts <> '{}' OR is_held)))
                THEN 'booking_conflict' END AS refusal,
           CASE WHEN in_the_way > 0 THEN in_the_way = held ELSE conflicts = '{}' END AS is_held
    FROM target,
         conflicts_in_diary(target.user_id, target.start_time, target.end_time, target.id, target.exclusive),
         LATERAL (
        -- In the way of an appointment is whatever is taken of a host while it and its buffers last.
        SELECT count(*) AS in_the_way, count(*) FILTER (WHERE kind = 'hold') AS held,
               coalesce(array_agg(number ORDER BY number)
                            FILTER (WHERE kind = 'booking' AND taken.user_id = target.user_id), '{}') AS own
        FROM taken_time(target.hosts, target.start_time, greatest(target.start_time, target.end_time),
                        target.appointment_id) AS taken
        WHERE target.appointment_id IS NOT NULL
          AND claim_start < target.end_time + make_interval(mins => buffer_after_minutes)
          AND claim_end > target.start_time - make_interval(mins => buffer_before_minutes)
    ) AS others
), changed AS (
    UPDATE bookings
    SET title = verdict.title, start_time = verdict.start_time, end_time = verdict.end_time,
        version = bookings.version + 1, updated_at = now()
    FROM verdict
    WHERE bookings.id = verdict.id AND refusal IS NULL AND verdict.appointment_id IS NULL AND (moves OR is_renamed)
)
SELECT id, user_id, title, start_time, end_time, status, exclusive, version + (moves OR is_renamed)::integer AS version,
       created_at, CASE WHEN moves OR is_renamed THEN now() ELSE updated_at END AS updated_at, uid, event_type_uid, guest,
       hosts, assignment, refusal, conflicts, is_held, appointment_id, moves, is_renamed
FROM verdict;

-- name: cancel_booking(booking_id, user_id, versions, notification_title, notification_message, request_id)^
-- Cancel an own entry, with its notification and its e-mail. No row: not there, or cancelled already. An entry that a guest
-- booked is only found: its appointment is cancelled with the entries of all hosts.
WITH verdict AS MATERIALIZED (
    SELECT id, user_id, title, start_time, end_time, status, exclusive, version, created_at, updated_at, uid,
           event_type_uid, guest, hosts, assignment, appointment_id,
           CASE WHEN NOT version = ANY(coalesce(:versions::bigint[], ARRAY[version])) THEN 'precondition_failed'
           END AS refusal
    FROM diary
    WHERE id = :booking_id AND user_id = :user_id AND status = 'confirmed'
), changed AS (
    UPDATE bookings
    SET status = 'cancelled', version = bookings.version + 1, updated_at = now()
    FROM verdict
    WHERE bookings.id = verdict.id AND refusal IS NULL AND verdict.appointment_id IS NULL
    RETURNING bookings.id, bookings.user_id, bookings.title, bookings.start_time, bookings.end_time, bookings.status,
              bookings.version, bookings.created_at, bookings.updated_at
), notification AS (
    INSERT INTO notifications (user_id, type, title, message, metadata)
    SELECT user_id, 'BOOKING_CANCELLED', format(:notification_title, title),
           format(:notification_message, title, utc_text(start_time)), jsonb_build_object('booking_id', id)
    FROM changed
), email AS (
    INSERT INTO emails (kind, recipient, data, booking_id, request_id)
    SELECT 'BOOKING_CANCELLED', users.email,
           jsonb_build_object('name', users.name, 'booking_id', changed.id, 'title', title,
                              'start_time', start_time, 'end_time', end_time,
                              'uid', diary_uid(changed.id, changed.created_at), 'sequence', version - 1),
           changed.id, :request_id
    FROM changed JOIN users ON users.id = changed.user_id
    RETURNING id
)
SELECT verdict.id, verdict.user_id, verdict.title, verdict.start_time, verdict.end_time,
       coalesce(changed.status, verdict.status) AS status, exclusive, coalesce(changed.version, verdict.version) AS version,
       verdict.created_at, coalesce(changed.updated_at, verdict.updated_at) AS updated_at, uid, event_type_uid, guest, hosts,
       assignment, appointment_id, refusal, email.id AS email_id, now() AS now
FROM verdict LEFT JOIN changed ON true LEFT JOIN email ON true;

-- name: restore_booking(booking_id, user_id, versions, notification_title, notification_message, request_id)^
-- Confirm a cancelled booking again, as if it were new. No row: not there. A refusal says why nothing was changed.
SELECT lock_diary(:user_id);
WITH verdict AS MATERIALIZED (
    SELECT target.id, conflicts,
           CASE WHEN appointment_id IS NOT NULL AND status = 'cancelled' THEN 'guest_booking'
                WHEN start_time < now() THEN 'booking_in_past'
                WHEN NOT version = ANY(coalesce(:versions::bigint[], ARRAY[version])) THEN 'precondition_failed'
                WHEN status = 'confirmed' THEN 'booking_not_cancelled'
                WHEN exclusive AND (conflicts <> '{}' OR is_held) THEN 'booking_conflict' END AS refusal
    FROM bookings AS target,
         conflicts_in_diary(target.user_id, target.start_time, target.end_time, target.id, target.exclusive)
    WHERE target.id = :booking_id AND target.user_id = :user_id
), changed AS (
    UPDATE bookings
    SET status = 'confirmed', version = version + 1, updated_at = now()
    FROM verdict
    WHERE bookings.id = verdict.id AND refusal IS NULL
    RETURNING bookings.id, user_id, title, start_time, end_time, status, exclusive, version, created_at, updated_at
), notification AS (
    INSERT INTO notifications (user_id, type, title, message, metadata)
    SELECT user_id, 'BOOKING_CONFIRMED', format(:notification_title, title),
           format(:notification_message, title, utc_text(start_time)), jsonb_build_object('booking_id', id)
    FROM changed
), email AS (
    INSERT INTO emails (kind, recipient, data, booking_id, request_id)
    SELECT 'BOOKING_CONFIRMATION', users.email,
           jsonb_build_object('name', users.name, 'booking_id', changed.id, 'title', title,
                              'start_time', start_time, 'end_time', end_time,
                              'uid', diary_uid(changed.id, changed.created_at), 'sequence', version - 1),
           changed.id, :request_id
    FROM changed JOIN users ON users.id = changed.user_id
    RETURNING id
)
SELECT changed.id, user_id, title, start_time, end_time, status, exclusive, version, created_at, updated_at,
       NULL AS uid, NULL AS event_type_uid, NULL AS guest, ARRAY[user_id] AS hosts, NULL AS assignment, refusal,
       conflicts, email.id AS email_id
FROM verdict LEFT JOIN changed ON true LEFT JOIN email ON true;
