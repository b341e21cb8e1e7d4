-- name: lock_key(user_id, key)$
-- Hold a key until the end of the transaction; false when another request holds it.
SELECT pg_try_advisory_xact_lock(hashtextextended(:key, :user_id::bigint));

-- name: select_answer(user_id, key)^
-- Find what the first request under a key was answered.
SELECT fingerprint, status, body, etag
FROM idempotency_keys
WHERE user_id = :user_id AND key = :key AND created_at > now() - interval '24 hours';

-- name: insert_answer(user_id, key, fingerprint, status, body, etag)!
-- Keep the answer; one that has outlived its day is replaced.
INSERT INTO idempotency_keys (user_id, key, fingerprint, status, body, etag)
VALUES (:user_id, :key, :fingerprint, :status, :body, :etag)
ON CONFLICT ON CONSTRAINT idempotency_keys_pkey
DO UPDATE SET fingerprint = excluded.fingerprint, status = excluded.status, body = excluded.body,
              etag = excluded.etag, created_at = now();

-- name: delete_old_answers(limit)!
-- Forget answers that are older than a day, a few at a time.
DELETE FROM idempotency_keys
WHERE (user_id, key) IN (
    SELECT user_id, key FROM idempotency_keys WHERE created_at < now() - interval '24 hours' LIMIT :limit);
