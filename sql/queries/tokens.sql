-- name: revoke_token(token_id, user_id, expires_at)!
-- Give up a single token until it would have expired anyway.
INSERT INTO revoked_tokens (jti, user_id, expires_at)
VALUES (:token_id, :user_id, to_timestamp(:expires_at))
ON CONFLICT ON CONSTRAINT revoked_tokens_pkey DO NOTHING;

-- name: revoke_all_tokens(user_id, issued_at)!
-- Give up every token a person was issued so far, unless the caller's own, issued then, was given up meanwhile: many
-- at once would date the next token many seconds ahead, and it would not count before.
UPDATE users
SET tokens_valid_from = greatest(date_trunc('second', now()), tokens_valid_from) + interval '1 second'
WHERE id = :user_id AND tokens_valid_from <= to_timestamp(:issued_at);

-- name: delete_expired_tokens(limit)!
-- Forget revoked tokens that have expired, a few at a time.
DELETE FROM revoked_tokens
WHERE jti IN (SELECT jti FROM revoked_tokens WHERE expires_at < now() LIMIT :limit);
