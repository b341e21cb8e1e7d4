-- name: lock_key(user_id, key)$
-- Lock a key until the end of the transaction; false when another request has it.
SELECT try_lock_idempotency_key(:user_id, :key);

-- name: select_answer(user_id, key)^
-- Find what the first request under a key was answered.
SELECT fingerprint, status, body, etag, location
FROM idempotency_keys
WHERE user_id = :user_id AND key = :key AND created_at > now() - interval '24 hours';

-- name: insert_answer(user_id, key, fingerprint, status, body, etag, location)!
-- Keep the answer; one that has outlived its day is replaced.
INSERT INTO idempotency_keys (user_id, key, fingerprint, status, body, etag, location)
VALUES (:user_id, :key, :fingerprint, :status, :body, :etag, :location)
ON CONFLICT ON CONSTRAINT idempotency_keys_pkey
DO UPDATE SET fingerprint = excluded.fingerprint, status = excluded.status, body = excluded.body,
              etag = excluded.etag, location = excluded.location, created_at = now();

-- name: delete_old_answers(limit)!
-- Forget answers that are older than a day, a few at a time.
DELETE FROM idempotency_keys
WHERE (user_id, key) IN (
    SELECT user_id, key FROM idempotency_keys WHERE created_at < now() - interval '24 hours' LIMIT :limit);

-- name: lock_guest_key(address, path, key)$
-- Lock a key of somebody who is not signed in until the end of the transaction; false when another request has it.
SELECT try_lock_guest_idempotency_key(:address, :path, :key);

-- name: select_guest_answer(address, path, key)^
-- Find what the first request under a key of somebody who is not signed in was answered.
SELECT fingerprint, status, body, etag, location
FROM guest_idempotency_keys
WHERE address = :address AND path = :path AND key = :key AND created_at > now() - interval '24 hours';

-- name: insert_guest_answer(address, path, key, fingerprint, status, body, etag, location)!
-- Keep the answer for somebody who is not signed in; one that has outlived its day is replaced.
INSERT INTO guest_idempotency_keys (address, path, key, fingerprint, status, body, etag, location)
VALUES (:address, :path, :key, :fingerprint, :status, :body, :etag, :location)
ON CONFLICT ON CONSTRAINT guest_idempotency_keys_pkey
DO UPDATE SET fingerprint = excluded.fingerprint, status = excluded.status, body = excluded.body,
              etag = excluded.etag, location = excluded.location, created_at = now();

-- name: delete_old_guest_answers(limit)!
-- Forget answers to those who were not signed in that are older than a day, a few at a time.
DELETE FROM guest_idempotency_keys
WHERE (address, path, key) IN (
    SELECT address, path, key FROM guest_idempotency_keys WHERE created_at < now() - interval '24 hours' LIMIT :limit);
