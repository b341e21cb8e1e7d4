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
    RETURNING id, user_id, title, start_time, end_time, status, exclusive, version, created_at, updated_at,
              uid, event_type_uid, guest, coalesce(hosts, ARRAY[user_id]) AS hosts, assignment
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
       uid, event_type_uid, guest, hosts, assignment, conflicts, email.id AS email_id
FROM overlap LEFT JOIN booking ON true LEFT JOIN email ON true;

-- name: select_bookings(user_id, status, overlaps_from, overlaps_to, after_start_time, after_id, limit)
-- List a person's bookings, latest first, optionally those of one status or overlapping [from, to).
SELECT id, user_id, title, start_time, end_time, status, exclusive, version, created_at, updated_at,
       uid, event_type_uid, guest, coalesce(hosts, ARRAY[user_id]) AS hosts, assignment
FROM bookings
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
       uid, event_type_uid, guest, coalesce(hosts, ARRAY[user_id]) AS hosts, assignment
FROM bookings
WHERE id = :booking_id AND user_id = :user_id;

-- name: change_booking(booking_id, user_id, title, start_time, end_time, versions)^
-- Change a booking as a whole; what changes nothing leaves it as it is. No row: not there. A refusal says why nothing
-- was changed.
SELECT lock_diary(:user_id);
WITH target AS MATERIALIZED (
    SELECT id, uid, user_id, status, exclusive, version,
           -- An entry that was laid over an exclusive one does not keep it from being renamed.
           start_time <> coalesce(:start_time::timestamptz, start_time)
               OR end_time <> coalesce(:end_time::timestamptz, end_time) AS moves,
           title <> coalesce(:title, title) AS is_renamed,
           coalesce(:title, title) AS title,
           coalesce(:start_time::timestamptz, start_time) AS start_time,
           coalesce(:end_time::timestamptz, end_time) AS end_time
    FROM bookings
    WHERE id = :booking_id AND user_id = :user_id
), verdict AS MATERIALIZED (
    SELECT target.*, conflicts,
           CASE WHEN end_time <= start_time THEN 'bookings_interval_check'
                WHEN end_time - start_time > interval '366 days' THEN 'bookings_duration_check'
                WHEN NOT version = ANY(coalesce(:versions::bigint[], ARRAY[version])) THEN 'precondition_failed'
                WHEN uid IS NOT NULL THEN 'appointment'
                WHEN status = 'cancelled' THEN 'booking_cancelled'
                WHEN exclusive AND moves AND (conflicts <> '{}' OR is_held) THEN 'booking_conflict' END AS refusal
    FROM target,
         conflicts_in_diary(target.user_id, target.start_time, target.end_time, target.id, target.exclusive)
), changed AS (
    UPDATE bookings
    SET title = verdict.title, start_time = verdict.start_time, end_time = verdict.end_time,
        version = bookings.version + (moves OR is_renamed)::integer,
        updated_at = CASE WHEN moves OR is_renamed THEN now() ELSE bookings.updated_at END
    FROM verdict
    WHERE bookings.id = verdict.id AND refusal IS NULL
    RETURNING bookings.id, bookings.user_id, bookings.title, bookings.start_time, bookings.end_time,
              bookings.status, bookings.exclusive, bookings.version, bookings.created_at, bookings.updated_at,
              bookings.uid, event_type_uid, guest, coalesce(hosts, ARRAY[bookings.user_id]) AS hosts, assignment
)
SELECT changed.id, changed.user_id, changed.title, changed.start_time, changed.end_time, changed.status,
       changed.exclusive, changed.version, changed.created_at, changed.updated_at, changed.uid, event_type_uid, guest,
       hosts, assignment, refusal, conflicts, verdict.uid AS appointment
FROM verdict LEFT JOIN changed ON true;

-- name: cancel_booking(booking_id, user_id, versions, notification_title, notification_message, request_id)^
-- Cancel a booking, with its notification and its e-mail. No row: not there, or cancelled already.
SELECT lock_diary(:user_id);
WITH verdict AS MATERIALIZED (
    SELECT id, uid,
           CASE WHEN NOT version = ANY(coalesce(:versions::bigint[], ARRAY[version])) THEN 'precondition_failed'
                WHEN uid IS NOT NULL THEN 'appointment' END AS refusal
    FROM bookings
    WHERE id = :booking_id AND user_id = :user_id AND status = 'confirmed'
), changed AS (
    UPDATE bookings
    SET status = 'cancelled', version = version + 1, updated_at = now()
    FROM verdict
    WHERE bookings.id = verdict.id AND refusal IS NULL
    RETURNING bookings.id, user_id, title, start_time, end_time, status, exclusive, version, created_at, updated_at,
              bookings.uid, event_type_uid, guest, coalesce(hosts, ARRAY[user_id]) AS hosts, assignment
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
SELECT changed.id, user_id, title, start_time, end_time, status, exclusive, version, created_at, updated_at,
       changed.uid, event_type_uid, guest, hosts, assignment, refusal, email.id AS email_id, verdict.uid AS appointment
FROM verdict LEFT JOIN changed ON true LEFT JOIN email ON true;

-- name: restore_booking(booking_id, user_id, versions, notification_title, notification_message, request_id)^
-- Confirm a cancelled booking again, as if it were new. No row: not there. A refusal says why nothing was changed.
SELECT lock_diary(:user_id);
WITH verdict AS MATERIALIZED (
    SELECT target.id, conflicts,
           CASE WHEN uid IS NOT NULL AND status = 'cancelled' THEN 'guest_booking'
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
    RETURNING bookings.id, user_id, title, start_time, end_time, status, exclusive, version, created_at, updated_at,
              bookings.uid, event_type_uid, guest, coalesce(hosts, ARRAY[user_id]) AS hosts, assignment
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
       changed.uid, event_type_uid, guest, hosts, assignment, refusal, conflicts, email.id AS email_id
FROM verdict LEFT JOIN changed ON true LEFT JOIN email ON true;
