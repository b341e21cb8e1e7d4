-- Bookings by guests: one booking, a row for each host, all with the same uid. Whoever takes time locks the diaries of
-- all who may be concerned first, in one order, and then sees what is taken. The order of all locks: the organization,
-- its event types by id, diaries by key, holds by id, and then bookings and claims.

-- name: select_bookable(event_type_uid)^
-- Find what is booked through a link, with its hosts and the hours that count for each of them.
SELECT event_types.id, uid, owner_id, organization_id, title, description, duration_minutes, slot_minutes,
       buffer_before_minutes, buffer_after_minutes, notice_minutes, horizon_days, daily_limit, assignment, is_active,
       now() AS now, coalesce(people.hosts, '[]') AS hosts
FROM event_types, LATERAL (
    SELECT jsonb_agg(jsonb_build_object(
               'user_id', users.id, 'name', users.name, 'email', users.email,
               'is_member', organization_id IS NULL OR EXISTS (
                   SELECT FROM organization_members
                   WHERE organization_members.organization_id = event_types.organization_id
                     AND organization_members.user_id = users.id),
               'time_zone', schedules.time_zone, 'rules', schedules.rules, 'overrides', schedules.overrides)
           ORDER BY users.id) AS hosts
    FROM event_type_hosts
    JOIN users ON users.id = event_type_hosts.user_id
    LEFT JOIN schedules ON schedules.id = coalesce(event_types.schedule_id, (
        SELECT own.id FROM schedules AS own WHERE own.user_id = users.id AND own.is_default))
    WHERE event_type_hosts.event_type_id = event_types.id
) AS people
WHERE uid = :event_type_uid;

-- name: select_taken(user_ids, starts, ends, event_type_uid, except_uid)
-- List what is taken of people's time in a period and three days around it.
SELECT 'booking' AS kind, user_id, start_time - make_interval(mins => buffer_before_minutes) AS claim_start,
       end_time + make_interval(mins => buffer_after_minutes) AS claim_end, start_time, end_time, id AS number,
       event_type_uid IS NOT DISTINCT FROM :event_type_uid::text AND event_type_uid IS NOT NULL AS of_type
FROM bookings
WHERE user_id = ANY(:user_ids::bigint[]) AND status = 'confirmed'
  AND start_time < :ends::timestamptz + interval '3 days' AND start_time > :starts::timestamptz - interval '3 days'
  AND (:except_uid::text IS NULL OR uid IS DISTINCT FROM :except_uid)
UNION ALL
SELECT 'booking', user_id, start_time - make_interval(mins => buffer_before_minutes),
       end_time + make_interval(mins => buffer_after_minutes), start_time, end_time, id, false
FROM bookings
WHERE user_id = ANY(:user_ids::bigint[]) AND status = 'confirmed' AND end_time - start_time > interval '1 day'
  AND (:except_uid::text IS NULL OR uid IS DISTINCT FROM :except_uid)
  AND end_time > :starts::timestamptz - interval '2 days' AND start_time <= :starts::timestamptz - interval '3 days'
UNION ALL
SELECT 'hold', claims.user_id, lower(during), upper(during), holds.start_time, holds.expires_at, holds.id,
       coalesce(holds.event_type_id = (SELECT id FROM event_types WHERE uid = :event_type_uid::text), false)
FROM claims JOIN holds ON holds.id = hold_id
-- Most claims are of bookings: said here, so that the planner knows how few are left and does not read all holds.
WHERE hold_id IS NOT NULL AND claims.user_id = ANY(:user_ids::bigint[]) AND expires_at > now()
  AND during && tstzrange(:starts::timestamptz - interval '2 days', :ends::timestamptz + interval '2 days');

-- name: select_turns(user_ids, event_type_id, event_type_uid)
-- Tell whose turn it is: how often each host is booked or held through a link from now on, and when they were last booked.
SELECT host.user_id,
       (SELECT count(*) FROM bookings
        WHERE event_type_uid = :event_type_uid AND bookings.user_id = host.user_id AND status = 'confirmed'
          AND start_time > now())
       + (SELECT count(*) FROM holds
          WHERE event_type_id = :event_type_id AND expires_at > now() AND host.user_id = ANY(hosts)) AS upcoming,
       (SELECT max(created_at) FROM bookings
        WHERE event_type_uid = :event_type_uid AND bookings.user_id = host.user_id AND status = 'confirmed'
       ) AS last_booked_at
FROM unnest(:user_ids::bigint[]) AS host (user_id);

-- name: lock_diaries(user_ids, event_type_uid)
-- Hold the diaries of people alone, in one order, and forget the holds on them that have run out. What refers to an
-- event type afterwards names it: then it stays until the end.
SELECT FROM event_types WHERE uid = :event_type_uid::text FOR KEY SHARE;
SELECT pg_advisory_xact_lock(1, key)
FROM (SELECT DISTINCT mod(user_id, 2147483647)::integer AS key FROM unnest(:user_ids::bigint[]) AS host (user_id)
      ORDER BY key) AS diary;
DELETE FROM holds
WHERE id IN (
    SELECT id FROM holds WHERE expires_at <= now() AND hosts && :user_ids::bigint[] ORDER BY id FOR UPDATE)
RETURNING id;

-- name: insert_hold(event_type_id, uid, start_time, end_time, claim_start, claim_end, user_ids, assignment, address, most, seconds)^
-- Keep a time for a guest for a while. No row: the address holds as many as it may.
SELECT pg_advisory_xact_lock(4, hashtext(:address));
WITH hold AS (
    INSERT INTO holds (uid, event_type_id, start_time, end_time, hosts, assignment, address, expires_at)
    SELECT :uid, :event_type_id, :start_time::timestamptz, :end_time::timestamptz, :user_ids::bigint[],
           :assignment::jsonb, :address,
           now() + make_interval(secs => :seconds)
    WHERE (SELECT count(*) FROM holds WHERE address = :address AND expires_at > now()) < :most
    RETURNING id, uid, start_time, end_time, expires_at, hosts
), claim AS (
    INSERT INTO claims (user_id, during, hold_id)
    SELECT user_id, tstzrange(:claim_start::timestamptz, :claim_end::timestamptz), hold.id FROM hold, unnest(hosts) AS host (user_id)
    ORDER BY user_id
)
SELECT uid AS hold, start_time AS start, end_time AS "end", expires_at FROM hold;

-- name: select_hold(uid, event_type_id)^
-- Find a hold that still counts.
SELECT id, start_time, hosts, assignment FROM holds WHERE uid = :uid AND event_type_id = :event_type_id AND expires_at > now();

-- name: delete_hold(uid)!
-- Let a time go.
DELETE FROM holds WHERE uid = :uid;

-- name: delete_old_holds(limit)!
-- Forget holds that have run out, a few at a time.
DELETE FROM holds
WHERE id IN (SELECT id FROM holds WHERE expires_at < now() ORDER BY expires_at LIMIT :limit FOR UPDATE SKIP LOCKED);

-- name: insert_appointment(uid, event_type_uid, title, start_time, end_time, user_ids, guest, assignment, manage_token_hash, buffer_before_minutes, buffer_after_minutes, hold_id, hold_hash)
-- Book hosts for a guest, in place of the hold that the guest has; a row for each host.
DELETE FROM holds WHERE id = :hold_id::bigint;
INSERT INTO bookings (user_id, title, start_time, end_time, exclusive, uid, event_type_uid, hosts, guest, assignment,
                      manage_token_hash, buffer_before_minutes, buffer_after_minutes, guest_address, hold_hash)
SELECT user_id, :title, :start_time::timestamptz, :end_time::timestamptz, true, :uid, :event_type_uid,
       :user_ids::bigint[], :guest::jsonb, :assignment::jsonb, :manage_token_hash::bytea,
       :buffer_before_minutes::integer, :buffer_after_minutes::integer, :guest::jsonb ->> 'email', :hold_hash::bytea
FROM unnest(:user_ids::bigint[]) AS host (user_id)
ORDER BY user_id
RETURNING id, user_id, title, start_time, end_time, status, exclusive, uid, event_type_uid, hosts, guest, assignment,
          version, created_at, updated_at;

-- name: select_booked(hold_hash)^
-- Find what was booked on a hold within a day, as the first host has it.
SELECT id, user_id, title, start_time, end_time, status, exclusive, uid, event_type_uid, hosts, guest, assignment,
       version, created_at, updated_at, manage_token_hash
FROM bookings
WHERE hold_hash = :hold_hash::bytea AND created_at > now() - interval '24 hours'
ORDER BY user_id
LIMIT 1;

-- name: select_appointment(uid, user_id)^
-- Find a booking by a guest, as one of its hosts has it, or the first one.
SELECT id, user_id, title, start_time, end_time, status, exclusive, uid, event_type_uid, hosts, guest, assignment,
       version, created_at, updated_at, manage_token_hash, buffer_before_minutes, buffer_after_minutes
FROM bookings
WHERE uid = :uid AND (:user_id::bigint IS NULL OR user_id = :user_id)
ORDER BY user_id
LIMIT 1;

-- name: change_appointment(uid, start_time, end_time, title)
-- Move or rename a booking by a guest for all its hosts; where a claim is refused all of them keep the old time. A new
-- title raises the sequence too: the time stamps of invitations have whole seconds, and a calendar takes the latest.
-- No row: nothing would change.
UPDATE bookings
SET start_time = :start_time::timestamptz, end_time = :end_time::timestamptz,
    title = coalesce(:title, title), sequence = sequence + 1, version = version + 1, updated_at = now()
WHERE uid = :uid AND status = 'confirmed'
  AND (start_time, end_time, title)
    IS DISTINCT FROM (:start_time::timestamptz, :end_time::timestamptz, coalesce(:title, title))
RETURNING id, user_id, title, start_time, end_time, status, exclusive, uid, event_type_uid, hosts, guest, assignment,
          version, created_at, updated_at;

-- name: cancel_appointment(uid, reason)
-- Cancel a booking by a guest for all its hosts.
UPDATE bookings
SET status = 'cancelled', cancel_reason = :reason, sequence = sequence + 1, version = version + 1, updated_at = now()
WHERE uid = :uid AND status = 'confirmed'
RETURNING id, user_id, title, start_time, end_time, status, exclusive, uid, event_type_uid, hosts, guest, assignment,
          version, created_at, updated_at;

-- name: use_allowances(subjects, steps)
-- Count a mail for each subject, in one order; returns for how many seconds what each has used counts.
INSERT INTO guest_mail_allowances AS allowance (subject, used_until)
SELECT subject, now() + make_interval(secs => step)
FROM unnest(:subjects::bigint[], :steps::float8[]) AS used (subject, step)
ORDER BY subject
ON CONFLICT ON CONSTRAINT guest_mail_allowances_pkey
    DO UPDATE SET used_until = greatest(allowance.used_until, now()) + (excluded.used_until - now())
RETURNING subject, extract(epoch FROM used_until - now())::float8 AS seconds;

-- name: delete_free_allowances(limit)!
-- Forget who may cause as many mails as ever, a few at a time.
DELETE FROM guest_mail_allowances
WHERE subject IN (SELECT subject FROM guest_mail_allowances WHERE used_until < now() LIMIT :limit FOR UPDATE SKIP LOCKED);

-- name: tell_of_appointment(uid, kind, type, manage_token, origin, request_id)
-- Tell all hosts and the guest what has become of a booking, each in their own time zone; returns the e-mails.
-- Who was told of a cancellation in the last minute is told of the guest's next booking when the minute is over, and of a
-- booking that is cancelled by then not at all.
WITH appointment AS MATERIALIZED (
    SELECT bookings.id, bookings.user_id, bookings.title, users.name, users.email, guest,
           hashtextextended(coalesce(event_type_uid, bookings.uid) || ' ' || lower(guest ->> 'email'), 0) AS pair,
           to_char(start_time AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC' AS time,
           coalesce(schedules.time_zone, 'UTC') AS time_zone,
           jsonb_build_object(
               'uid', bookings.uid, 'sequence', sequence, 'title', bookings.title, 'start_time', start_time,
               'end_time', end_time, 'guest', guest, 'reason', cancel_reason,
               'hosts', jsonb_agg(jsonb_build_object('name', users.name, 'email', users.email)) OVER (
                   ORDER BY bookings.user_id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)) AS data
    FROM bookings
    JOIN users ON users.id = bookings.user_id
    LEFT JOIN event_types ON event_types.uid = event_type_uid
    LEFT JOIN schedules ON schedules.id = coalesce(
        (SELECT own.id FROM schedules AS own WHERE own.user_id = bookings.user_id AND own.is_default),
        event_types.schedule_id)
    WHERE bookings.uid = :uid
), notification AS (
    INSERT INTO notifications (user_id, type, title, message, metadata)
    SELECT user_id, :type,
           'Booking "' || title || CASE :type WHEN 'BOOKING_CONFIRMED' THEN '" confirmed'
                                              WHEN 'BOOKING_MOVED' THEN '" moved'
                                              WHEN 'BOOKING_RENAMED' THEN '" renamed' ELSE '" cancelled' END,
           CASE :type WHEN 'BOOKING_CONFIRMED' THEN (guest ->> 'name') || ' booked "' || title || '" with you for ' || time || '.'
                      WHEN 'BOOKING_MOVED' THEN 'Your booking "' || title || '" was moved to ' || time || '.'
                      WHEN 'BOOKING_RENAMED' THEN 'Your booking on ' || time || ' is now called "' || title || '".'
                      ELSE 'Your booking "' || title || '" on ' || time || ' was cancelled.' END,
           jsonb_build_object('booking_id', id)
    FROM appointment
), replaced AS (
    UPDATE emails
    SET status = 'superseded', settled_at = now(), last_error = 'A later change took its place before it was due.'
    WHERE booking_id = ANY(ARRAY(SELECT id FROM appointment)) AND status = 'pending'
      AND attempts = 0 AND put_off_until IS NOT NULL
      AND (kind = :kind OR :kind = 'APPOINTMENT_CANCELLED')
    RETURNING booking_id, recipient, kind
), email AS (
    INSERT INTO emails (kind, recipient, data, booking_id, origin, request_id, pair, put_off_until, next_attempt_at,
                        status, settled_at, last_error)
    SELECT :kind, recipient, addressed.data, booking_id, hashtextextended(:origin, 0), :request_id, pair, put_off_until,
           coalesce(put_off_until, now()), CASE WHEN is_moot THEN 'superseded' ELSE 'pending' END,
           CASE WHEN is_moot THEN now() END,
           CASE WHEN is_moot THEN 'Nobody had been told of this booking when it was cancelled.' END
    FROM (
        SELECT id AS booking_id, email AS recipient, pair,
               data || jsonb_build_object('role', 'host', 'name', name, 'time_zone', time_zone) AS data
        FROM appointment
        UNION ALL
        SELECT booking_id, guest ->> 'email', pair,
               data || jsonb_build_object('role', 'guest', 'name', guest ->> 'name', 'time_zone', guest ->> 'time_zone',
                                          'manage_token', :manage_token::text)
        FROM (SELECT id AS booking_id, guest, pair, data FROM appointment ORDER BY id LIMIT 1) AS first
        -- A host who is the guest too is one person, and told once.
        WHERE NOT EXISTS (SELECT FROM appointment WHERE email = guest ->> 'email')
    ) AS addressed,
    LATERAL (
        SELECT CASE :kind
            WHEN 'APPOINTMENT_CANCELLED' THEN NULL
            WHEN 'APPOINTMENT_CONFIRMED' THEN (
                SELECT created_at + interval '1 minute' FROM emails AS told
                WHERE told.pair = addressed.pair AND told.recipient = addressed.recipient
                  AND told.kind = 'APPOINTMENT_CANCELLED' AND told.status <> 'superseded'
                ORDER BY told.id DESC
                LIMIT 1)
            ELSE (
                SELECT max(waiting.put_off_until) FROM emails AS waiting
                WHERE waiting.booking_id = addressed.booking_id AND waiting.recipient = addressed.recipient
                  AND waiting.status = 'pending' AND waiting.attempts = 0)
            END AS until
    ) AS wait,
    LATERAL (
        SELECT CASE WHEN until > now() THEN until END AS put_off_until,
               EXISTS (SELECT FROM replaced
                       WHERE replaced.booking_id = addressed.booking_id AND replaced.recipient = addressed.recipient
                         AND replaced.kind = 'APPOINTMENT_CONFIRMED') AS is_moot
    ) AS turn
    RETURNING id
)
SELECT id FROM email ORDER BY id;

-- name: select_people(user_ids, organization_id, caller_id, limit)
-- Find people who share an organization with the caller, all of them or none, with the hours that count for each.
WITH shared AS (
    SELECT own.organization_id
    FROM organization_members AS own
    WHERE own.user_id = :caller_id
      AND (:organization_id::bigint IS NULL OR own.organization_id = :organization_id)
      AND NOT EXISTS (
          SELECT FROM unnest(:user_ids::bigint[]) AS wanted (user_id)
          WHERE NOT EXISTS (SELECT FROM organization_members AS theirs
                            WHERE theirs.organization_id = own.organization_id AND theirs.user_id = wanted.user_id))
    ORDER BY own.organization_id
    LIMIT 1
)
SELECT organization_members.user_id, schedules.time_zone, schedules.rules, schedules.overrides
FROM shared
JOIN organization_members ON organization_members.organization_id = shared.organization_id
LEFT JOIN schedules ON schedules.user_id = organization_members.user_id AND schedules.is_default
WHERE :user_ids::bigint[] IS NULL OR organization_members.user_id = ANY(:user_ids::bigint[])
ORDER BY organization_members.user_id
LIMIT :limit;

-- name: select_insider(event_type_id, organization_id, owner_id, user_id)$
-- Tell whether somebody is a host or a manager of what is booked through a link.
SELECT (:organization_id::bigint IS NULL AND :user_id = :owner_id::bigint)
    OR EXISTS (SELECT FROM event_type_hosts
               WHERE event_type_id = :event_type_id AND event_type_hosts.user_id = :user_id
                 AND (:organization_id::bigint IS NULL OR EXISTS (
                     SELECT FROM organization_members
                     WHERE organization_id = :organization_id AND organization_members.user_id = :user_id)))
    OR EXISTS (SELECT FROM organizations WHERE id = :organization_id::bigint AND owner_id = :user_id)
    OR EXISTS (SELECT FROM organization_members
               WHERE organization_id = :organization_id::bigint AND user_id = :user_id AND role = 'admin');
