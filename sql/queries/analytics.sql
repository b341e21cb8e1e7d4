-- name: insert_event(user_id, event_type, metadata)^
-- Log an event, anonymous when nobody is named.
INSERT INTO analytics_events (user_id, event_type, metadata)
VALUES (:user_id::bigint, :event_type, :metadata::jsonb)
RETURNING id, event_type;

-- name: select_event_statistics(days)
-- Count the events of the last days by type; the row without a type is the total.
SELECT event_type, count(*) AS count, count(DISTINCT user_id) AS unique_users,
       min(created_at) AS first_event, max(created_at) AS last_event
FROM analytics_events
WHERE created_at >= now() - make_interval(days => :days::integer)
GROUP BY GROUPING SETS ((event_type), ())
ORDER BY grouping(event_type) DESC, count(*) DESC, event_type;

-- name: select_events(event_type, after_created_at, after_id, limit)
-- List raw events with who caused them, newest first.
SELECT analytics_events.id, user_id, event_type, metadata, analytics_events.created_at,
       users.name AS user_name, users.email AS user_email
FROM analytics_events LEFT JOIN users ON users.id = user_id
WHERE (:event_type::text IS NULL OR event_type = :event_type)
  AND (:after_id::bigint IS NULL
       OR (analytics_events.created_at, analytics_events.id) < (:after_created_at::timestamptz, :after_id::bigint))
ORDER BY analytics_events.created_at DESC, analytics_events.id DESC
LIMIT :limit;
