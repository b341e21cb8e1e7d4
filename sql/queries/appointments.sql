-- Appointments: meetings that guests book, one row each, with guests beside it and an entry in the diary of each host. Who
-- takes time locks the diaries of all who may be concerned first (lock_diaries), and then sees what is taken. The order of
-- all locks: the organization, its event types by id, diaries by key, holds by id, and then appointments, bookings, claims.

-- name: select_event_type_with_hosts(event_type_uid)^
-- Find an event type, with its hosts and the hours that count for each of them.
SELECT id, uid, owner_id, organization_id, title, description, duration_minutes, slot_minutes, buffer_before_minutes,
       buffer_after_minutes, notice_minutes, horizon_days, daily_limit, assignment, is_active, hosts, now() AS now
FROM event_types_with_hosts
WHERE uid = :event_type_uid;

-- name: select_taken(user_ids, starts, ends, event_type_uid, except_appointment_id)
-- List what is taken of people's time in a period and three days around it.
SELECT kind, user_id, claim_start, claim_end, start_time, end_time, number,
       coalesce(event_type_uid = :event_type_uid::text, false) AS of_type
FROM taken_time(:user_ids::bigint[], :starts::timestamptz, :ends::timestamptz, :except_appointment_id::bigint);

-- name: lock_event_type(event_type_uid, hold_uid)!
-- Lock an event type as it is, and the diaries of its hosts and of who is held; forget the holds on them that have run out.
SELECT FROM event_types WHERE uid = :event_type_uid FOR SHARE;
SELECT lock_diaries(user_ids), forget_expired_holds(user_ids)
FROM (
    SELECT ARRAY(
        SELECT user_id FROM event_type_hosts JOIN event_types ON event_types.id = event_type_id WHERE uid = :event_type_uid
        UNION
        SELECT unnest(hosts) FROM holds JOIN event_types ON event_types.id = event_type_id
        WHERE holds.uid = :hold_uid AND event_types.uid = :event_type_uid) AS user_ids
) AS concerned;

-- name: select_locked_event_type(event_type_uid, starts, ends, user_ids, hold_uid, except_appointment_id)^
-- Find all by which a start is judged: the event type, the guest's hold, what is taken and whose turn it is. What moves
-- gives its end and its hosts. Turns: how often each host is booked or held from now on, and when they were last booked.
WITH event_type AS MATERIALIZED (
    SELECT event_type.id, event_type.uid, title, duration_minutes, slot_minutes, buffer_before_minutes,
           buffer_after_minutes, notice_minutes, horizon_days, daily_limit, event_type.assignment, event_type.hosts,
           holds.id AS hold_id, holds.start_time AS hold_start, holds.assignment AS hold_assignment,
           coalesce(:ends::timestamptz, :starts::timestamptz + make_interval(mins => duration_minutes)) AS ends,
           coalesce(holds.hosts, :user_ids::bigint[], ARRAY(
               SELECT user_id FROM event_type_hosts WHERE event_type_hosts.event_type_id = event_type.id ORDER BY user_id
           )) AS user_ids
    FROM event_types_with_hosts AS event_type
    LEFT JOIN holds ON holds.event_type_id = event_type.id AND holds.uid = :hold_uid AND expires_at > now()
    WHERE event_type.uid = :event_type_uid AND is_active
)
SELECT id, uid, title, duration_minutes, slot_minutes, buffer_before_minutes, buffer_after_minutes, notice_minutes,
       horizon_days, daily_limit, assignment, hosts, hold_id, hold_start, hold_assignment, user_ids, now() AS now,
       taken, turns
FROM event_type, LATERAL (
    SELECT coalesce(json_agg(json_build_object(
        'kind', kind, 'user_id', user_id, 'claim_start', claim_start, 'claim_end', claim_end, 'start_time', start_time,
        'end_time', end_time, 'number', number, 'of_type', coalesce(event_type_uid = event_type.uid, false))), '[]') AS taken
    FROM taken_time(user_ids, :starts::timestamptz, ends, :except_appointment_id::bigint)
) AS time, LATERAL (
    SELECT coalesce(jsonb_agg(jsonb_build_object('user_id', host, 'upcoming', (
               SELECT count(*) FROM bookings
               WHERE event_type_uid = event_type.uid AND bookings.user_id = host AND status = 'confirmed'
                 AND start_time > now()
           ) + (
               SELECT count(*) FROM holds
               WHERE event_type_id = event_type.id AND expires_at > now() AND host = ANY(holds.hosts)
           ), 'last_booked_at', (
               SELECT max(created_at) FROM bookings
               WHERE event_type_uid = event_type.uid AND bookings.user_id = host AND status = 'confirmed'
           ))), '[]') AS turns
    FROM unnest(CASE WHEN event_type.assignment = 'any' AND hold_id IS NULL THEN user_ids END) AS host
) AS turn;

-- name: insert_hold(event_type_id, uid, start_time, end_time, claim_start, claim_end, user_ids, assignment, address, most, seconds)^
-- Keep a time for a guest for a while. No row: the address holds as many as it may.
SELECT lock_holds_of(:address);
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

-- name: delete_hold(uid)!
-- Let a time go.
DELETE FROM holds WHERE uid = :uid;

-- name: delete_old_holds(limit)!
-- Forget holds that have run out, a few at a time.
DELETE FROM holds
WHERE id IN (SELECT id FROM holds WHERE expires_at < now() ORDER BY expires_at LIMIT :limit FOR UPDATE SKIP LOCKED);

-- name: insert_appointment(uid, event_type_id, title, start_time, end_time, buffer_before_minutes, buffer_after_minutes, assignment, user_ids, name, email, time_zone, notes, manage_token_hash, hold_id, hold_hash)!
-- Book hosts for a guest, in place of the hold that the guest has; an entry for each host.
DELETE FROM holds WHERE id = :hold_id::bigint;
WITH appointment AS (
    INSERT INTO appointments (uid, event_type_id, title, start_time, end_time, buffer_before_minutes,
                              buffer_after_minutes, assignment, guest_address, hold_hash)
    VALUES (:uid, :event_type_id, :title, :start_time::timestamptz, :end_time::timestamptz, :buffer_before_minutes,
            :buffer_after_minutes, :assignment::jsonb, :email, :hold_hash::bytea)
    RETURNING id, event_type_id, title, start_time, end_time, buffer_before_minutes, buffer_after_minutes
), guest AS (
    INSERT INTO appointment_guests (appointment_id, name, email, time_zone, notes, manage_token_hash)
    SELECT id, :name, :email, :time_zone, :notes, :manage_token_hash::bytea FROM appointment
    RETURNING appointment_id
)
INSERT INTO bookings (user_id, title, start_time, end_time, exclusive, appointment_id, event_type_uid,
                      buffer_before_minutes, buffer_after_minutes)
SELECT user_id, appointment.title, start_time, end_time, true, appointment.id, event_types.uid,
       appointment.buffer_before_minutes, appointment.buffer_after_minutes
FROM guest
JOIN appointment ON appointment.id = guest.appointment_id
LEFT JOIN event_types ON event_types.id = event_type_id,
     unnest(:user_ids::bigint[]) AS host (user_id)
ORDER BY user_id;

-- name: select_booked(hold_hash)^
-- Find what was booked on a hold within a day.
SELECT uid, (SELECT uid FROM event_types WHERE id = event_type_id) AS event_type_uid, title, start_time, end_time, status,
       version, created_at, updated_at, manage_token_hash,
       jsonb_build_object('name', name, 'email', email, 'time_zone', time_zone, 'notes', notes) AS guest
FROM appointments JOIN appointment_guests ON appointment_id = appointments.id
WHERE hold_hash = :hold_hash::bytea AND created_at > now() - interval '24 hours'
ORDER BY appointment_guests.id
LIMIT 1;

-- name: lock_appointment(uid, manage_token_hash)!
-- Lock the diaries of the hosts of an appointment, for a guest with a token that manages it.
SELECT lock_diaries(ARRAY(
    SELECT user_id FROM appointments
    JOIN appointment_guests AS guest ON guest.appointment_id = appointments.id
    JOIN bookings ON bookings.appointment_id = appointments.id
    WHERE appointments.uid = :uid AND guest.manage_token_hash = :manage_token_hash::bytea));

-- name: select_appointment(uid, manage_token_hash)^
-- Find an appointment for a guest with a token that manages it.
SELECT appointments.id, uid, event_type_id, (SELECT uid FROM event_types WHERE id = event_type_id) AS event_type_uid,
       title, start_time, end_time, buffer_before_minutes, buffer_after_minutes, status, version, created_at, updated_at,
       now() AS now, jsonb_build_object('name', name, 'email', email, 'time_zone', time_zone, 'notes', notes) AS guest,
       ARRAY(SELECT user_id FROM bookings WHERE appointment_id = appointments.id ORDER BY user_id) AS hosts
FROM appointments JOIN appointment_guests ON appointment_guests.appointment_id = appointments.id
WHERE uid = :uid AND manage_token_hash = :manage_token_hash::bytea;

-- name: change_appointment(appointment_id, start_time, end_time, title)!
-- Move or rename an appointment in the diaries of all its hosts; where a claim is refused all of them keep the old time. A
-- new title raises the sequence too: the time stamps of invitations have whole seconds, and a calendar takes the latest.
WITH appointment AS (
    UPDATE appointments
    SET start_time = :start_time::timestamptz, end_time = :end_time::timestamptz, title = coalesce(:title, title),
        sequence = sequence + 1, version = version + 1, updated_at = now()
    WHERE id = :appointment_id AND status = 'confirmed'
    RETURNING id, start_time, end_time, title, version, updated_at
)
UPDATE bookings
SET start_time = appointment.start_time, end_time = appointment.end_time, title = appointment.title,
    version = appointment.version, updated_at = appointment.updated_at
FROM appointment
WHERE appointment_id = appointment.id;

-- name: cancel_appointment(appointment_id, reason)!
-- Cancel an appointment in the diaries of all its hosts.
WITH appointment AS (
    UPDATE appointments
    SET status = 'cancelled', cancel_reason = :reason, sequence = sequence + 1, version = version + 1, updated_at = now()
    WHERE id = :appointment_id AND status = 'confirmed'
    RETURNING id, status, version, updated_at
)
UPDATE bookings
SET status = appointment.status, version = appointment.version, updated_at = appointment.updated_at
FROM appointment
WHERE appointment_id = appointment.id;

-- name: use_allowances(subjects, steps)!
-- Count a mail for each subject, in one order.
INSERT INTO guest_mail_allowances AS allowance (subject, used_until)
SELECT subject, now() + make_interval(secs => step)
FROM unnest(:subjects::bigint[], :steps::float8[]) AS used (subject, step)
ORDER BY subject
ON CONFLICT ON CONSTRAINT guest_mail_allowances_pkey
    DO UPDATE SET used_until = greatest(allowance.used_until, now()) + (excluded.used_until - now());

-- name: delete_free_allowances(limit)!
-- Forget who may cause as many mails as ever, a few at a time.
DELETE FROM guest_mail_allowances
WHERE subject IN (SELECT subject FROM guest_mail_allowances WHERE used_until < now() LIMIT :limit FOR UPDATE SKIP LOCKED);

-- name: notify_hosts(uid, type, notification_title, notification_message)!
-- Notify all hosts of what has become of an appointment.
INSERT INTO notifications (user_id, type, title, message, metadata)
SELECT user_id, :type, format(:notification_title, appointments.title),
       format(:notification_message, appointments.title, utc_text(appointments.start_time), (
           SELECT name FROM appointment_guests
           WHERE appointment_guests.appointment_id = appointments.id ORDER BY id LIMIT 1)),
       jsonb_build_object('booking_id', bookings.id)
FROM appointments JOIN bookings ON appointment_id = appointments.id
WHERE appointments.uid = :uid
ORDER BY user_id;

-- name: mail_appointment(uid, kind, manage_token, origin, request_id, subjects)^
-- Mail all hosts and the guest what has become of an appointment, each in their own time zone; returns the e-mails, and for
-- how many seconds what the subjects have used of their allowances counts. Who was told of a cancellation in the last minute
-- is told of the guest's next booking when the minute is over, and of one that is cancelled by then not at all.
WITH meeting AS MATERIALIZED (
    SELECT appointments.id, schedule_id, email,
           hashtextextended(coalesce(event_types.uid, appointments.uid) || ' ' || lower(email), 0) AS pair,
           jsonb_build_object(
               'uid', appointments.uid, 'sequence', sequence, 'title', appointments.title, 'start_time', start_time,
               'end_time', end_time, 'reason', cancel_reason, 'name', name, 'time_zone', time_zone, 'guest',
               jsonb_build_object('name', name, 'email', email, 'time_zone', time_zone, 'notes', notes)) AS data
    FROM appointments
    JOIN appointment_guests ON appointment_id = appointments.id
    LEFT JOIN event_types ON event_types.id = event_type_id
    WHERE appointments.uid = :uid ORDER BY appointment_guests.id LIMIT 1
), host AS MATERIALIZED (
    SELECT bookings.id AS booking_id, bookings.user_id, users.name, users.email, coalesce(time_zone, 'UTC') AS time_zone
    FROM meeting JOIN bookings ON appointment_id = meeting.id JOIN users ON users.id = bookings.user_id
    LEFT JOIN schedules ON schedules.id = coalesce((
        SELECT own.id FROM schedules AS own WHERE own.user_id = bookings.user_id AND own.is_default), schedule_id)
), addressed AS MATERIALIZED (
    SELECT booking_id, recipient, pair, data || about || (SELECT jsonb_build_object(
               'hosts', jsonb_agg(jsonb_build_object('name', name, 'email', email) ORDER BY user_id)) FROM host) AS data
    FROM meeting, (
        SELECT booking_id, email, jsonb_build_object('role', 'host', 'name', name, 'time_zone', time_zone) FROM host
        UNION ALL
        -- A host who is the guest too is one person, and told once.
        SELECT min(booking_id), meeting.email, jsonb_build_object('role', 'guest', 'manage_token', :manage_token::text)
        FROM meeting, host GROUP BY meeting.email HAVING NOT bool_or(host.email = meeting.email)
    ) AS person (booking_id, recipient, about)
), replaced AS (
    UPDATE emails
    SET status = 'superseded', settled_at = now(), last_error = 'A later change took its place before it was due.'
    WHERE booking_id = ANY(ARRAY(SELECT booking_id FROM host)) AND status = 'pending' AND attempts = 0
      AND put_off_until IS NOT NULL AND (kind = :kind OR :kind = 'APPOINTMENT_CANCELLED')
    RETURNING booking_id, recipient, kind
), email AS (
    INSERT INTO emails (kind, recipient, data, booking_id, origin, request_id, pair, put_off_until, next_attempt_at,
                        status, settled_at, last_error)
    SELECT :kind, recipient, data, booking_id, hashtextextended(:origin, 0), :request_id, pair, put_off_until,
           coalesce(put_off_until, now()), CASE WHEN is_moot THEN 'superseded' ELSE 'pending' END,
           CASE WHEN is_moot THEN now() END,
           CASE WHEN is_moot THEN 'Nobody had been told of this booking when it was cancelled.' END
    FROM addressed, LATERAL (
        SELECT earliest_mail(:kind, pair, recipient, booking_id) AS put_off_until,
               EXISTS (SELECT FROM replaced
                       WHERE replaced.booking_id = addressed.booking_id AND replaced.recipient = addressed.recipient
                         AND replaced.kind = 'APPOINTMENT_CONFIRMED') AS is_moot
    ) AS turn
    RETURNING id
)
SELECT ARRAY(SELECT id FROM email ORDER BY id) AS email_ids, coalesce((
    SELECT jsonb_agg(jsonb_build_object('subject', subject, 'seconds', extract(epoch FROM used_until - now())))
    FROM guest_mail_allowances WHERE subject = ANY(:subjects::bigint[])), '[]') AS used;

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
-- Tell whether somebody is a host or a manager of an event type.
SELECT (:organization_id::bigint IS NULL AND :user_id = :owner_id::bigint)
    OR EXISTS (SELECT FROM event_type_hosts
               WHERE event_type_id = :event_type_id AND event_type_hosts.user_id = :user_id
                 AND (:organization_id::bigint IS NULL OR EXISTS (
                     SELECT FROM organization_members
                     WHERE organization_id = :organization_id AND organization_members.user_id = :user_id)))
    OR EXISTS (SELECT FROM organizations WHERE id = :organization_id::bigint AND owner_id = :user_id)
    OR EXISTS (SELECT FROM organization_members
               WHERE organization_id = :organization_id::bigint AND user_id = :user_id AND role = 'admin');
