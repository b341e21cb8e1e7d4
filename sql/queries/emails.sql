-- A worker owns a pending row from claim to settlement; its fence proves it. Times are the database's.

-- name: claim_emails(email_ids, limit, lease_seconds, rate_slots, rate_window)
-- Claim rows that may be offered now, as many as there are rate slots; with null instead of ids, whatever is due.
-- A mail about a booking waits for the earlier ones about the same booking.
WITH candidate AS MATERIALIZED (
    SELECT id, row_number() OVER (ORDER BY id) AS position
    FROM (
        SELECT id FROM emails
        WHERE status = 'pending' AND next_attempt_at <= now() AND (lease_until IS NULL OR lease_until <= now())
          AND (:email_ids::bigint[] IS NULL OR id = ANY(:email_ids::bigint[]))
          AND (booking_id IS NULL OR NOT EXISTS (
              SELECT FROM emails AS earlier
              WHERE earlier.booking_id = emails.booking_id AND earlier.id < emails.id AND earlier.status = 'pending'))
        ORDER BY next_attempt_at, id
        LIMIT :limit
        FOR UPDATE SKIP LOCKED
    ) AS due
), slot AS MATERIALIZED (
    SELECT slot, row_number() OVER () AS position
    FROM (
        SELECT slot FROM email_rate_slots
        WHERE slot <= :rate_slots AND free_at <= now()
        ORDER BY free_at
        LIMIT :limit
        FOR UPDATE SKIP LOCKED
    ) AS free
), pair AS (
    SELECT candidate.id, slot.slot FROM candidate JOIN slot USING (position)
), taken AS (
    -- Until it is settled a slot counts as used at the end of the lease.
    UPDATE email_rate_slots SET free_at = now() + make_interval(secs => :lease_seconds::integer + :rate_window::integer)
    FROM pair WHERE email_rate_slots.slot = pair.slot
), postponed AS (
    UPDATE emails
    SET next_attempt_at = greatest(now() + interval '1 second', limits.free_at),
        ring_at = greatest(now() + interval '1 second', limits.free_at)
    FROM (SELECT min(free_at) AS free_at FROM email_rate_slots WHERE slot <= :rate_slots) AS limits
    WHERE emails.id IN (SELECT id FROM candidate EXCEPT SELECT id FROM pair)
)
UPDATE emails
SET lease_until = now() + make_interval(secs => :lease_seconds),
    ring_at = now() + make_interval(secs => :lease_seconds),
    fence = fence + 1, attempts = attempts + 1, rate_slot = pair.slot
FROM pair
WHERE emails.id = pair.id
RETURNING emails.id, kind, recipient, data, sender, subject, text_body, html_body, idempotency_key::text, attempts, rejections,
          fence, request_id, created_at, extract(epoch FROM now() - pending_since)::float8 AS age_seconds;

-- name: keep_rendering(email_id, fence, sender, subject, text_body, html_body)!
-- Keep what was rendered, so that every attempt offers the same bytes.
UPDATE emails SET sender = :sender, subject = :subject, text_body = :text_body, html_body = :html_body
WHERE id = :email_id AND fence = :fence AND status = 'pending';

-- name: settle_sent(email_id, fence, provider_message_id, rate_window)^
-- Record that the provider accepted a mail; its slot is free a window from now. No row: the lease was lost.
WITH settled AS (
    UPDATE emails
    SET status = 'sent', settled_at = clock_timestamp(), lease_until = NULL,
        provider_message_id = :provider_message_id, last_failure = NULL, last_error = NULL
    WHERE id = :email_id AND fence = :fence AND status = 'pending'
    RETURNING id, booking_id, rate_slot
), slot AS (
    UPDATE email_rate_slots SET free_at = clock_timestamp() + make_interval(secs => :rate_window)
    FROM settled WHERE slot = settled.rate_slot
)
SELECT settled.id, (
    SELECT min(follower.id) FROM emails AS follower
    WHERE follower.booking_id = settled.booking_id AND follower.id > settled.id AND follower.status = 'pending'
) AS follower_id
FROM settled;

-- name: settle_failed(email_id, fence, failure, error, wait_seconds, rejected, dead, rate_window)^
-- Record a failed attempt and when the next one is due, if there is one. No row: the lease was lost.
WITH settled AS (
    UPDATE emails
    SET status = CASE WHEN :dead THEN 'dead' ELSE 'pending' END,
        settled_at = CASE WHEN :dead THEN clock_timestamp() END,
        lease_until = NULL,
        next_attempt_at = clock_timestamp() + make_interval(secs => :wait_seconds),
        ring_at = clock_timestamp() + make_interval(secs => :wait_seconds) + interval '2 seconds',
        rejections = rejections + :rejected, last_failure = :failure, last_error = :error
    WHERE id = :email_id AND fence = :fence AND status = 'pending'
    RETURNING id, booking_id, rate_slot
), slot AS (
    UPDATE email_rate_slots SET free_at = clock_timestamp() + make_interval(secs => :rate_window)
    FROM settled WHERE slot = settled.rate_slot
)
SELECT settled.id, CASE WHEN :dead THEN (
    SELECT min(follower.id) FROM emails AS follower
    WHERE follower.booking_id = settled.booking_id AND follower.id > settled.id AND follower.status = 'pending'
) END AS follower_id
FROM settled;

-- name: ring_for_emails(limit)
-- Find rows nobody came for, and look again in fifteen seconds.
UPDATE emails SET ring_at = now() + interval '15 seconds'
WHERE id IN (
    SELECT id FROM emails
    WHERE status = 'pending' AND ring_at <= now()
    ORDER BY ring_at
    LIMIT :limit
    FOR UPDATE SKIP LOCKED
)
RETURNING id, lease_until IS NOT NULL AS was_in_hand;

-- name: insert_rate_slots(rate_slots)!
-- Make sure that there are as many slots as mails in a window.
INSERT INTO email_rate_slots (slot)
SELECT generate_series(1, :rate_slots::integer)
ON CONFLICT ON CONSTRAINT email_rate_slots_pkey DO NOTHING;

-- name: select_deliveries(booking_id, user_id)
-- List the e-mails about a booking of a person, oldest first.
SELECT emails.id, kind, recipient, emails.status, attempts, last_error, emails.created_at,
       CASE WHEN emails.status = 'pending' THEN next_attempt_at END AS next_attempt_at,
       CASE WHEN emails.status = 'sent' THEN settled_at END AS sent_at
FROM emails JOIN bookings ON bookings.id = booking_id
WHERE booking_id = :booking_id AND user_id = :user_id
ORDER BY emails.id;

-- name: select_outbox_state()^
-- Tell how much waits, since when, and how much has failed for good.
SELECT (SELECT count(*) FROM emails WHERE status = 'pending') AS pending,
       coalesce((SELECT extract(epoch FROM now() - min(pending_since)) FROM emails WHERE status = 'pending'), 0)::float8
           AS oldest_pending_seconds,
       (SELECT count(*) FROM emails WHERE status = 'dead') AS dead;

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
-- Offer a dead e-mail again, under the same key and with the same bytes; its horizon starts anew.
UPDATE emails
SET status = 'pending', rejections = 0, pending_since = now(), next_attempt_at = now(), ring_at = now(),
    lease_until = NULL, settled_at = NULL
WHERE id = :email_id AND status = 'dead'
RETURNING id;

-- name: drop_email(email_id)$
-- Delete a dead e-mail.
DELETE FROM emails WHERE id = :email_id AND status = 'dead' RETURNING id;

-- name: delete_sent_emails(limit)!
-- Forget e-mails that were sent more than 30 days ago, a few at a time.
DELETE FROM emails
WHERE id IN (SELECT id FROM emails WHERE status = 'sent' AND settled_at < now() - interval '30 days' LIMIT :limit);
