-- What several statements ask, written once. Views, and a function that is inlined (STABLE, one SELECT, no SET): the plans
-- are those of the text.

-- A diary as clients know it: entries, and what their appointments say.
CREATE VIEW diary AS
SELECT bookings.id, bookings.user_id, bookings.title, bookings.start_time, bookings.end_time, bookings.status,
       bookings.exclusive, bookings.version, bookings.created_at, bookings.updated_at, appointments.uid,
       bookings.event_type_uid, bookings.buffer_before_minutes, bookings.buffer_after_minutes,
       (SELECT jsonb_build_object('name', name, 'email', email, 'time_zone', time_zone, 'notes', notes)
        FROM appointment_guests WHERE appointment_guests.appointment_id = appointments.id ORDER BY id LIMIT 1) AS guest,
       CASE WHEN bookings.appointment_id IS NULL THEN ARRAY[bookings.user_id]
            ELSE ARRAY(SELECT host.user_id FROM bookings AS host
                       WHERE host.appointment_id = bookings.appointment_id ORDER BY host.user_id) END AS hosts,
       appointments.assignment, bookings.appointment_id
FROM bookings LEFT JOIN appointments ON appointments.id = bookings.appointment_id;

-- Event types with their hosts, and the hours that count for each of them.
CREATE VIEW event_types_with_hosts AS
SELECT event_types.id, uid, owner_id, organization_id, title, description, duration_minutes, slot_minutes,
       buffer_before_minutes, buffer_after_minutes, notice_minutes, horizon_days, daily_limit, assignment, is_active,
       coalesce(people.hosts, '[]') AS hosts
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
) AS people;

-- What is taken of people's time in a period and three days around it, but for one appointment.
CREATE FUNCTION taken_time(user_ids bigint[], starts timestamptz, ends timestamptz, except_appointment_id bigint)
RETURNS TABLE (kind text, user_id bigint, claim_start timestamptz, claim_end timestamptz, start_time timestamptz,
               end_time timestamptz, number bigint, event_type_uid text) LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT 'booking', bookings.user_id, bookings.start_time - make_interval(mins => buffer_before_minutes),
           bookings.end_time + make_interval(mins => buffer_after_minutes), bookings.start_time, bookings.end_time, id,
           bookings.event_type_uid
    FROM bookings
    WHERE bookings.user_id = ANY(user_ids) AND status = 'confirmed'
      AND bookings.start_time < ends + interval '3 days' AND bookings.start_time > starts - interval '3 days'
      AND (except_appointment_id IS NULL OR appointment_id IS DISTINCT FROM except_appointment_id)
    UNION ALL
    SELECT 'booking', bookings.user_id, bookings.start_time - make_interval(mins => buffer_before_minutes),
           bookings.end_time + make_interval(mins => buffer_after_minutes), bookings.start_time, bookings.end_time, id,
           bookings.event_type_uid
    FROM bookings
    WHERE bookings.user_id = ANY(user_ids) AND status = 'confirmed'
      AND bookings.end_time - bookings.start_time > interval '1 day'
      AND bookings.end_time > starts - interval '2 days' AND bookings.start_time <= starts - interval '3 days'
      AND (except_appointment_id IS NULL OR appointment_id IS DISTINCT FROM except_appointment_id)
    UNION ALL
    SELECT 'hold', claims.user_id, lower(during), upper(during), holds.start_time, holds.expires_at, holds.id,
           event_types.uid
    FROM claims JOIN holds ON holds.id = hold_id JOIN event_types ON event_types.id = event_type_id
    -- Most claims are of bookings: said here, so that the planner knows how few are left and does not read all holds.
    WHERE hold_id IS NOT NULL AND claims.user_id = ANY(user_ids) AND expires_at > now()
      AND during && tstzrange(starts - interval '2 days', ends + interval '2 days');
END;

-- A hold that has run out is in nobody's way. Whoever does this has locked the diaries.
CREATE FUNCTION forget_expired_holds(user_ids bigint[]) RETURNS void LANGUAGE sql VOLATILE
BEGIN ATOMIC
    DELETE FROM holds
    WHERE id IN (SELECT id FROM holds WHERE expires_at <= now() AND hosts && user_ids ORDER BY id FOR UPDATE);
END;

-- When the mail of a change may go; null: at once. Who was told of a cancellation a moment ago waits for the next booking,
-- and what changes meanwhile waits with it.
CREATE FUNCTION earliest_mail(mail_kind text, mail_pair bigint, mail_recipient text, mail_booking_id bigint)
RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
DECLARE
    earliest timestamptz;
BEGIN
    IF mail_kind = 'APPOINTMENT_CONFIRMED' THEN
        SELECT created_at + interval '1 minute' INTO earliest FROM emails
        WHERE pair = mail_pair AND recipient = mail_recipient
          AND kind = 'APPOINTMENT_CANCELLED' AND status <> 'superseded'
        ORDER BY id DESC
        LIMIT 1;
    ELSIF mail_kind <> 'APPOINTMENT_CANCELLED' THEN
        SELECT max(put_off_until) INTO earliest FROM emails
        WHERE booking_id = mail_booking_id AND recipient = mail_recipient AND status = 'pending' AND attempts = 0;
    END IF;
    RETURN CASE WHEN earliest > now() THEN earliest END;
END $$;
