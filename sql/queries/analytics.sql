-- name: insert_event(user_id, issued_at, token_id, event_type, metadata)^
-- Log an event, anonymous when there is no token, or one that was revoked.
INSERT INTO analytics_events (user_id, event_type, metadata)
VALUES ((SELECT id FROM users
         WHERE id = :user_id::bigint AND tokens_valid_from <= to_timestamp(:issued_at::bigint)
           AND NOT EXISTS (SELECT FROM revoked_tokens WHERE jti = :token_id)),
        :event_type, :metadata::jsonb)
RETURNING id, event_type;

-- name: select_event_statistics(days)
-- Sum up the events of the last days by type; the first row, without a type, is the total. Whole days, hours and five
-- minutes were counted by the rollup; the edge of the period and the tail behind the rollup's mark are events.
WITH period AS MATERIALIZED (
    SELECT since, date_bin('5 minutes', since, 'epoch') + interval '5 minutes' AS first_slot,
           date_bin('1 hour', since, 'epoch') + interval '1 hour' AS first_hour,
           date_bin('1 day', since, 'epoch') + interval '1 day' AS first_day,
           -- A rollup that came from elsewhere does not count.
           coalesce(recorded_by, '0') AS recorded_by, coalesce(event_id, 0) AS event_id,
           '18446744073709551615'::xid8 AS last_transaction, recorded_by IS NOT NULL AS has_rollup
    FROM (SELECT now() - make_interval(days => :days::integer) AS since) AS asked
    LEFT JOIN analytics_rollup ON analytics_rollup.xmin = xid(written_by)
), raw AS MATERIALIZED (
    -- Who was seen at or after `counted_from` is counted in a bucket.
    SELECT event_type, user_id, created_at, (SELECT first_slot FROM period) AS counted_from
    FROM analytics_events
    -- The planner knows how few these are when it sees the instants.
    WHERE created_at >= now() - make_interval(days => :days::integer)
      AND created_at < date_bin('5 minutes', now() - make_interval(days => :days::integer), 'epoch')
          + interval '5 minutes'
      AND (recorded_by, id) <= (SELECT recorded_by, event_id FROM period)
    UNION ALL
    -- Two bounds, although one would do: they tell the planner that few rows lie between them.
    SELECT event_type, user_id, created_at, (SELECT since FROM period)
    FROM analytics_events
    WHERE (recorded_by, id) > (SELECT recorded_by, event_id FROM period)
      AND recorded_by >= (SELECT recorded_by FROM period) AND recorded_by <= (SELECT last_transaction FROM period)
      AND created_at >= now() - make_interval(days => :days::integer)
), entry AS (
    SELECT type.event_type, user_id, created_at, counted_from
    FROM raw, LATERAL (VALUES (raw.event_type), ('')) AS type (event_type)
), part AS (
    SELECT '' AS event_type, 0 AS count, 0 AS users, NULL::timestamptz AS first_at, NULL::timestamptz AS last_at
    UNION ALL
    SELECT event_type, count, users, first_at, last_at FROM analytics_counts
    WHERE (SELECT has_rollup FROM period) AND width = 300
      AND bucket >= (SELECT first_slot FROM period) AND bucket < (SELECT first_hour FROM period)
    UNION ALL
    SELECT event_type, count, users, first_at, last_at FROM analytics_counts
    WHERE (SELECT has_rollup FROM period) AND width = 3600
      AND bucket >= (SELECT first_hour FROM period) AND bucket < (SELECT first_day FROM period)
    UNION ALL
    SELECT event_type, count, users, first_at, last_at FROM analytics_counts
    WHERE (SELECT has_rollup FROM period) AND width = 86400
      AND bucket >= (SELECT first_day FROM period)
    UNION ALL
    SELECT event_type, count(*), 0, min(created_at), max(created_at) FROM entry GROUP BY event_type
    UNION ALL
    SELECT event_type, 0, 1, NULL, NULL
    FROM (SELECT DISTINCT event_type, user_id, counted_from FROM entry WHERE user_id IS NOT NULL) AS person
    WHERE coalesce(counted_from > (
        SELECT last_at FROM analytics_last_seen
        WHERE user_id = person.user_id AND event_type = person.event_type AND (SELECT has_rollup FROM period)), true)
)
SELECT nullif(event_type, '') AS event_type, sum(count)::bigint AS count, sum(users)::bigint AS unique_users,
       min(first_at) AS first_event, max(last_at) AS last_event
FROM part
GROUP BY part.event_type
ORDER BY part.event_type <> '', count DESC, event_type;

-- name: select_events(event_type, after_created_at, after_id, limit)
-- List raw events with who caused them, newest first.
WITH event AS (
    (
        SELECT id, user_id, event_type, metadata, created_at
        FROM analytics_events
        WHERE :event_type::text IS NULL
          AND (created_at, id)
            < (coalesce(:after_created_at::timestamptz, 'infinity'), coalesce(:after_id::bigint, 9223372036854775807))
        ORDER BY created_at DESC, id DESC
        LIMIT :limit
    ) UNION ALL (
        SELECT id, user_id, event_type, metadata, created_at
        FROM analytics_events
        WHERE event_type = :event_type
          AND (created_at, id)
            < (coalesce(:after_created_at::timestamptz, 'infinity'), coalesce(:after_id::bigint, 9223372036854775807))
        ORDER BY created_at DESC, id DESC
        LIMIT :limit
    )
)
SELECT event.id, user_id, event_type, metadata, event.created_at, users.name AS user_name, users.email AS user_email
FROM event LEFT JOIN users ON users.id = user_id
ORDER BY event.created_at DESC, event.id DESC;

-- name: try_analytics_lock()$
-- Lock all that adds events up or tends the months until the end of the transaction; false when somebody else has it.
SELECT try_lock_analytics();

-- name: reset_foreign_rollup()$
-- Begin anew where the numbers of transactions come from another server; tell whether that was so.
SELECT reset_foreign_rollup();

-- name: adopt_foreign_events(limit)!
-- Take over events whose transaction has not been here yet: they came with a copy of another server's data.
UPDATE analytics_events SET recorded_by = pg_current_xact_id()
FROM (
    SELECT created_at, id FROM analytics_events
    WHERE recorded_by >= pg_snapshot_xmax(pg_current_snapshot())
    ORDER BY recorded_by, id
    LIMIT :limit
) AS stranger
WHERE analytics_events.created_at = stranger.created_at AND analytics_events.id = stranger.id;

-- name: roll_up_events(limit)$
-- Add up the next events behind the mark, which are final because no transaction as old is running any more; return
-- how many there were.
WITH batch AS MATERIALIZED (
    SELECT id, user_id, event_type, created_at, recorded_by
    FROM analytics_events
    WHERE (recorded_by, id) > (SELECT recorded_by, event_id FROM analytics_rollup)
      AND recorded_by < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY recorded_by, id
    LIMIT :limit
), entry AS (
    SELECT type.event_type, user_id, created_at
    FROM batch, LATERAL (VALUES (batch.event_type), ('')) AS type (event_type)
), seen AS MATERIALIZED (
    SELECT user_id, event_type, max(created_at) AS last_at
    FROM entry WHERE user_id IS NOT NULL GROUP BY user_id, event_type
), moved AS MATERIALIZED (
    SELECT user_id, event_type, seen.last_at, before.last_at AS before_at
    FROM seen LEFT JOIN analytics_last_seen AS before USING (user_id, event_type)
    WHERE before.last_at IS NULL OR before.last_at < seen.last_at
), written AS (
    INSERT INTO analytics_last_seen (user_id, event_type, last_at)
    SELECT user_id, event_type, last_at FROM moved
    ON CONFLICT ON CONSTRAINT analytics_last_seen_pkey DO UPDATE SET last_at = excluded.last_at
), change AS (
    SELECT event_type, created_at AS at, 1 AS count, 0 AS users FROM entry
    UNION ALL
    SELECT event_type, last_at, 0, 1 FROM moved
    UNION ALL
    SELECT event_type, before_at, 0, -1 FROM moved WHERE before_at IS NOT NULL
), counted AS (
    INSERT INTO analytics_counts (width, bucket, event_type, count, users, first_at, last_at)
    SELECT width, date_bin(make_interval(secs => width), at, 'epoch') AS bucket, event_type, sum(count), sum(users),
           coalesce(min(at) FILTER (WHERE count > 0), 'infinity'),
           coalesce(max(at) FILTER (WHERE count > 0), '-infinity')
    FROM change, unnest(ARRAY[300, 3600, 86400]) AS width
    GROUP BY 1, 2, 3
    HAVING sum(count) <> 0 OR sum(users) <> 0
    ON CONFLICT ON CONSTRAINT analytics_counts_pkey
    DO UPDATE SET count = analytics_counts.count + excluded.count, users = analytics_counts.users + excluded.users,
                  first_at = least(analytics_counts.first_at, excluded.first_at),
                  last_at = greatest(analytics_counts.last_at, excluded.last_at)
), mark AS (
    UPDATE analytics_rollup
    SET recorded_by = newest.recorded_by, event_id = newest.id, written_by = pg_current_xact_id()
    FROM (SELECT recorded_by, id FROM batch ORDER BY recorded_by DESC, id DESC LIMIT 1) AS newest
)
SELECT count(*) FROM batch;

-- name: delete_counts(before, limit)!
-- Forget counts before the beginning of a day, or, when it is null, those that no period reaches back to.
DELETE FROM analytics_counts
WHERE (width, bucket, event_type) IN (
    SELECT width, bucket, event_type FROM analytics_counts
    WHERE width = ANY('{300, 3600, 86400}')
      AND bucket < coalesce(:before::timestamptz, date_trunc('day', now() - interval '367 days', 'UTC'))
    LIMIT :limit::bigint);

-- name: delete_last_seen(before)!
-- Forget who was not seen since an instant.
DELETE FROM analytics_last_seen WHERE last_at < :before::timestamptz;

-- name: select_missing_months(ahead)
-- List the months without a partition, up to some months ahead.
SELECT month
FROM (SELECT date_trunc('month', now() AT TIME ZONE 'UTC') AS this_month) AS today, generate_series(
    coalesce((SELECT max(until) FROM analytics_months) AT TIME ZONE 'UTC', this_month),
    this_month + make_interval(months => :ahead::integer), interval '1 month') AS next_month,
    LATERAL (SELECT next_month AT TIME ZONE 'UTC' AS month) AS instant;

-- name: open_month(month)$
-- Create the partition of a month unless it is there.
SELECT open_analytics_month(:month::timestamptz) IS NULL;

-- name: drop_months(retention_months)$
-- Drop the months that lie so many months back; return where the last of them ended, if there were any.
SELECT drop_analytics_months((date_trunc('month', now() AT TIME ZONE 'UTC')
    - make_interval(months => :retention_months::integer)) AT TIME ZONE 'UTC');
