-- A worker owns a pending row from claim to settlement; its fence proves it. Times are the database's.

-- name: claim_emails(kinds, limit, lease_seconds, rate_slots, reserved_slots, rate_window)
-- Claim the mails of known kinds that are due longest, class by class, as many as there are free rate slots.
-- A mail about a booking waits for the earlier ones about the same booking, unless their kind is unknown here.
WITH free AS MATERIALIZED (
    SELECT reserved, open, for_bookings, for_others, for_bulk
    FROM free_email_slots(:rate_slots, :reserved_slots, :limit)
), due AS MATERIALIZED (
    SELECT mail.id, class, own, row_number() OVER (PARTITION BY class ORDER BY mail.next_attempt_at, mail.id) AS place
    FROM free,
    LATERAL (VALUES (1, reserved, reserved + open), (2, for_bookings, open), (3, for_others, open), (4, for_bulk, open))
        AS line (class, own, most),
    LATERAL (
        SELECT id, next_attempt_at FROM emails
        WHERE status = 'pending' AND emails.class = line.class AND next_attempt_at <= now()
          AND (lease_until IS NULL OR lease_until <= now()) AND kind = ANY(:kinds::text[])
          AND (booking_id IS NULL OR NOT EXISTS (
              SELECT FROM emails AS earlier
              WHERE earlier.booking_id = emails.booking_id AND earlier.id < emails.id AND earlier.status = 'pending'
                AND earlier.kind = ANY(:kinds::text[])))
        ORDER BY next_attempt_at, id
        LIMIT least(line.most, :limit)
        FOR UPDATE SKIP LOCKED
    ) AS mail
), chosen AS MATERIALIZED (
    SELECT id, is_reserved, row_number() OVER (PARTITION BY is_reserved ORDER BY place <= own DESC, class, place) AS position
    FROM (
        SELECT id, class, own, place, class = 1 AND place <= own AS is_reserved FROM due
        ORDER BY place <= own DESC, class, place
        LIMIT :limit
    ) AS first
), slot AS MATERIALIZED (
    SELECT slot, true AS is_reserved, row_number() OVER () AS position
    FROM (
        SELECT slot FROM email_rate_slots WHERE slot <= :reserved_slots AND free_at <= now()
        LIMIT (SELECT count(*) FROM chosen WHERE is_reserved) FOR UPDATE SKIP LOCKED
    ) AS reserved
    UNION ALL
    SELECT slot, false, row_number() OVER ()
    FROM (
        SELECT slot FROM email_rate_slots
        WHERE slot > :reserved_slots AND slot <= :rate_slots AND free_at <= now()
        ORDER BY free_at LIMIT (SELECT count(*) FROM chosen WHERE NOT is_reserved) FOR UPDATE SKIP LOCKED
    ) AS open
), pair AS MATERIALIZED (
    SELECT chosen.id, slot.slot FROM chosen JOIN slot USING (is_reserved, position)
), taken AS (
    -- Until it is settled a slot counts as used at the end of the lease.
    UPDATE email_rate_slots
    SET free_at = now() + make_interval(secs => :lease_seconds::integer + :rate_window::integer), turns = turns + 1
    WHERE slot = ANY(ARRAY(SELECT slot FROM pair))
)
-- As an array, because nothing else tells the planner that they are few.
UPDATE emails
SET lease_until = now() + make_interval(secs => :lease_seconds), fence = fence + 1, attempts = attempts + 1,
    rate_slot = (SELECT slot FROM pair WHERE pair.id = emails.id),
    -- A worker of an earlier release noted failures only.
    first_offered_at = coalesce(first_offered_at, CASE WHEN last_failure IS NULL THEN now() ELSE pending_since END)
WHERE id = ANY(ARRAY(SELECT id FROM pair))
RETURNING id, kind, recipient, data, sender, subject, text_body, html_body, calendar, calendar_method,
          reply_to, idempotency_key::text, attempts, rejections, fence, request_id, created_at, last_failure,
          extract(epoch FROM now() - first_offered_at)::float8 AS age_seconds;

-- name: keep_renderings(email_ids, fences, sender, reply_tos, subjects, text_bodies, html_bodies, calendars, calendar_methods)
-- Keep what was rendered, so that every attempt offers the same bytes. No row: the lease was lost.
UPDATE emails
SET sender = :sender, reply_to = rendered.reply_to, subject = rendered.subject, text_body = rendered.text_body,
    html_body = rendered.html_body, calendar = rendered.calendar, calendar_method = rendered.calendar_method
FROM unnest(:email_ids::bigint[], :fences::bigint[], :reply_tos::text[], :subjects::text[], :text_bodies::text[],
            :html_bodies::text[], :calendars::text[], :calendar_methods::text[])
     AS rendered (id, fence, reply_to, subject, text_body, html_body, calendar, calendar_method)
WHERE emails.id = rendered.id AND emails.fence = rendered.fence AND status = 'pending'
RETURNING emails.id;

-- name: settle_sent(email_ids, fences, provider_message_ids, rate_window)
-- Record that the provider accepted mails; their slots are free a window from now. No row: the lease was lost.
WITH settled AS (
    UPDATE emails
    SET status = 'sent', settled_at = clock_timestamp(), lease_until = NULL,
        provider_message_id = accepted.provider_message_id, last_failure = NULL, last_error = NULL
    FROM unnest(:email_ids::bigint[], :fences::bigint[], :provider_message_ids::text[])
         AS accepted (id, fence, provider_message_id)
    WHERE emails.id = accepted.id AND emails.fence = accepted.fence AND status = 'pending'
    RETURNING emails.id, rate_slot
), slot AS (
    UPDATE email_rate_slots SET free_at = clock_timestamp() + make_interval(secs => :rate_window)
    WHERE slot = ANY(ARRAY(SELECT rate_slot FROM settled))
)
SELECT id FROM settled;

-- name: settle_failed(email_id, fence, failure, error, wait_seconds, rejected, dead, rate_window)$
-- Record a failed attempt and when the next one is due, if there is one. No row: the lease was lost.
WITH settled AS (
    UPDATE emails
    SET status = CASE WHEN :dead THEN 'dead' ELSE 'pending' END,
        settled_at = CASE WHEN :dead THEN clock_timestamp() END,
        lease_until = NULL,
        next_attempt_at = clock_timestamp() + make_interval(secs => :wait_seconds),
        rejections = rejections + :rejected, last_failure = :failure, last_error = :error
    WHERE id = :email_id AND fence = :fence AND status = 'pending'
    RETURNING id, rate_slot
), slot AS (
    UPDATE email_rate_slots SET free_at = clock_timestamp() + make_interval(secs => :rate_window)
    FROM settled WHERE slot = settled.rate_slot
)
SELECT id FROM settled;

-- name: select_overdue_email(kinds, overdue_seconds, rate_slots, reserved_slots)$
-- Find a mail of a known kind that nobody came for although a rate slot is free.
SELECT mail.id
FROM (VALUES (1), (2), (3), (4)) AS line (class),
LATERAL (
    SELECT id, next_attempt_at FROM emails
    WHERE status = 'pending' AND emails.class = line.class AND kind = ANY(:kinds::text[])
      AND next_attempt_at <= now() - make_interval(secs => :overdue_seconds)
      AND (lease_until IS NULL OR lease_until <= now())
    ORDER BY next_attempt_at, id
    LIMIT 1
) AS mail
WHERE EXISTS (SELECT FROM email_rate_slots
              WHERE slot <= :rate_slots AND (line.class = 1 OR slot > :reserved_slots) AND free_at <= now())
ORDER BY mail.next_attempt_at, mail.id
LIMIT 1;

-- name: select_seconds_to_slot(kinds, rate_slots, reserved_slots)$
-- Tell when the next rate slot is free, if none is for the mails of known kinds that are due.
WITH due AS MATERIALIZED (
    SELECT min(line.class) AS class
    FROM (VALUES (1), (2), (3), (4)) AS line (class)
    -- In this order there is one plan only: along the line.
    WHERE (SELECT id FROM emails
           WHERE status = 'pending' AND emails.class = line.class AND next_attempt_at <= now()
             AND (lease_until IS NULL OR lease_until <= now()) AND kind = ANY(:kinds::text[])
           ORDER BY next_attempt_at, id
           LIMIT 1) IS NOT NULL
)
SELECT extract(epoch FROM free_at - now())::float8 AS seconds
FROM due,
LATERAL (
    SELECT free_at FROM email_rate_slots
    WHERE slot <= :rate_slots AND (due.class = 1 OR slot > :reserved_slots)
    ORDER BY free_at
    LIMIT 1
) AS next
WHERE due.class IS NOT NULL AND free_at > now();

-- name: postpone_followers(kinds, limit)!
-- Let mails wait as long as the first one about the same booking; at the front of their line they would be in the way.
WITH follower AS MATERIALIZED (
    SELECT front.id, first.next_attempt_at AS due_at
    FROM (VALUES (1), (2), (3), (4)) AS line (class),
    LATERAL (
        SELECT id, booking_id FROM emails
        WHERE status = 'pending' AND emails.class = line.class AND next_attempt_at <= now() AND kind = ANY(:kinds::text[])
        ORDER BY next_attempt_at, id
        LIMIT :limit
    ) AS front,
    LATERAL (
        SELECT next_attempt_at FROM emails AS earlier
        WHERE earlier.booking_id = front.booking_id AND earlier.status = 'pending' AND earlier.id < front.id
          AND earlier.kind = ANY(:kinds::text[])
        ORDER BY earlier.id
        LIMIT 1
    ) AS first
    WHERE first.next_attempt_at > now()
)
UPDATE emails SET next_attempt_at = (SELECT due_at FROM follower WHERE follower.id = emails.id)
WHERE id = ANY(ARRAY(SELECT id FROM follower)) AND status = 'pending';

-- name: select_unknown_kinds(kinds)
-- Tell of which kinds, unknown here, mails wait for a worker that knows them.
SELECT kind, count(*) AS count FROM emails
WHERE status = 'pending' AND next_attempt_at <= now() AND kind <> ALL(:kinds::text[])
GROUP BY kind ORDER BY kind;

-- name: insert_rate_slots(rate_slots)!
-- Make sure that there are as many slots as mails in a window.
INSERT INTO email_rate_slots (slot)
SELECT generate_series(1, :rate_slots::integer)
ON CONFLICT ON CONSTRAINT email_rate_slots_pkey DO NOTHING;

-- name: select_deliveries(booking_id, user_id, reserved_slots)
-- List the e-mails about a booking of a person, oldest first.
SELECT emails.id, kind, recipient, emails.status, attempts, last_error, emails.created_at,
       CASE WHEN emails.status = 'pending'
            THEN greatest(next_attempt_at, (SELECT free_at FROM email_rate_slots WHERE slot > :reserved_slots
                                            ORDER BY free_at LIMIT 1)) END AS next_attempt_at,
       CASE WHEN emails.status = 'sent' THEN settled_at END AS sent_at
FROM emails JOIN bookings ON bookings.id = booking_id
WHERE booking_id = :booking_id AND user_id = :user_id
ORDER BY emails.id;

-- name: select_outbox_state()^
-- Tell how much waits, since when, and how much has failed for good.
SELECT (SELECT count(*) FROM emails WHERE status = 'pending') AS pending,
       coalesce((SELECT extract(epoch FROM now() - min(pending_since)) FROM emails WHERE status = 'pending'), 0)::float8
           AS oldest_pending_seconds,
       (SELECT count(*) FROM emails WHERE status = 'dead') AS dead,
       (SELECT count(*) FROM emails WHERE status = 'superseded') AS superseded;

-- name: select_classes()
-- Tell of each class how much waits, and since when.
SELECT class, count(*) AS pending, extract(epoch FROM now() - min(pending_since))::float8 AS oldest_pending_seconds
FROM emails WHERE status = 'pending' GROUP BY class ORDER BY class;

-- name: select_outcomes()
-- Tell how the providers answered so far.
SELECT outcome, count FROM email_outcomes ORDER BY outcome;

-- name: upsert_outcomes(outcomes, counts)!
-- Add what a worker has seen since it last reported.
INSERT INTO email_outcomes (outcome, count)
SELECT outcome, count FROM unnest(:outcomes::text[], :counts::bigint[]) AS seen (outcome, count)
ORDER BY outcome
ON CONFLICT ON CONSTRAINT email_outcomes_pkey DO UPDATE SET count = email_outcomes.count + excluded.count;

-- name: select_outbox(status, kind, failure, since, email_id, limit)
-- List e-mails for the operator, newest first.
SELECT id, kind, recipient, status, attempts, rejections, last_failure, last_error, booking_id, request_id,
       created_at, pending_since, next_attempt_at, lease_until, settled_at, idempotency_key::text, provider_message_id,
       subject
FROM emails
WHERE (:email_id::bigint IS NULL OR id = :email_id)
  AND (:status::text IS NULL OR status = :status)
  AND (:kind::text IS NULL OR kind = :kind)
  AND (:failure::text IS NULL OR last_failure = :failure)
  AND (:since::timestamptz IS NULL OR created_at >= :since)
ORDER BY id DESC
LIMIT :limit;

-- name: replay_email(email_id)$
-- Offer a dead e-mail again, under the same key and with the same bytes; its horizon starts anew with the first offer.
UPDATE emails
SET status = 'pending', rejections = 0, pending_since = now(), next_attempt_at = now(), first_offered_at = NULL,
    last_failure = NULL, last_error = NULL, lease_until = NULL, settled_at = NULL
WHERE id = :email_id AND status = 'dead'
RETURNING id;

-- name: drop_email(email_id)$
-- Delete a dead e-mail.
DELETE FROM emails WHERE id = :email_id AND status = 'dead' RETURNING id;

-- name: delete_sent_emails(limit)!
-- Forget e-mails that were sent more than 30 days ago, a few at a time.
DELETE FROM emails
WHERE id IN (SELECT id FROM emails WHERE status = 'sent' AND settled_at < now() - interval '30 days' LIMIT :limit);

-- name: delete_superseded_emails(limit)!
-- Forget e-mails that were superseded more than 30 days ago, a few at a time.
DELETE FROM emails
WHERE id IN (SELECT id FROM emails WHERE status = 'superseded' AND settled_at < now() - interval '30 days' LIMIT :limit);
