-- The check of a token travels with the statement that it protects, and what raises stops all that follows it.

CREATE FUNCTION require_caller(caller_id bigint, issued_at bigint, token_id text) RETURNS void
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM users WHERE id = caller_id AND tokens_valid_from <= to_timestamp(issued_at))
       OR EXISTS (SELECT FROM revoked_tokens WHERE jti = token_id) THEN
        RAISE EXCEPTION 'the token of user % is revoked', caller_id USING ERRCODE = 'TK401';
    END IF;
END $$;
