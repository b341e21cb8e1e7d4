-- name: select_notifications(user_id, after_is_read, after_created_at, after_id, limit)
-- List what a person was told, unread first, then newest.
SELECT id, user_id, type, title, message, is_read, metadata, created_at
FROM (
    (
        SELECT id, user_id, type, title, message, is_read, metadata, created_at
        FROM notifications
        WHERE user_id = :user_id AND NOT is_read AND :after_is_read::boolean IS NOT TRUE
          AND (created_at, id)
            < (coalesce(:after_created_at::timestamptz, 'infinity'), coalesce(:after_id::bigint, 9223372036854775807))
        ORDER BY created_at DESC, id DESC
        LIMIT :limit
    ) UNION ALL (
        SELECT id, user_id, type, title, message, is_read, metadata, created_at
        FROM notifications
        WHERE user_id = :user_id AND is_read
          -- After an unread one come all that were read.
          AND (created_at, id)
            < (CASE WHEN :after_is_read::boolean THEN :after_created_at::timestamptz ELSE 'infinity' END,
               coalesce(:after_id::bigint, 9223372036854775807))
        ORDER BY created_at DESC, id DESC
        LIMIT :limit
    )
) AS notification
ORDER BY is_read, created_at DESC, id DESC
LIMIT :limit;

-- name: select_unread_notifications(user_id, after_created_at, after_id, limit)
-- List what a person has not read, newest first.
SELECT id, user_id, type, title, message, is_read, metadata, created_at
FROM notifications
WHERE user_id = :user_id AND NOT is_read
  AND (created_at, id)
    < (coalesce(:after_created_at::timestamptz, 'infinity'), coalesce(:after_id::bigint, 9223372036854775807))
ORDER BY created_at DESC, id DESC
LIMIT :limit;

-- name: count_unread_notifications(user_id)$
-- Count what a person has not read.
SELECT count(*) FROM notifications WHERE user_id = :user_id AND NOT is_read;

-- name: read_all_notifications(user_id)!
-- Mark everything as read.
UPDATE notifications SET is_read = true WHERE user_id = :user_id AND NOT is_read;

-- name: read_notification(notification_id, user_id)^
-- Mark one notification as read.
UPDATE notifications SET is_read = true
WHERE id = :notification_id AND user_id = :user_id
RETURNING id, user_id, type, title, message, is_read, metadata, created_at;

-- name: delete_notification(notification_id, user_id)!
-- Delete one notification.
DELETE FROM notifications WHERE id = :notification_id AND user_id = :user_id;
