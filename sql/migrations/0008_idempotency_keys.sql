-- What a retry-safe write was answered, kept for 24 hours. The row is written in the transaction of the work, so that
-- a crash undoes both together.

CREATE TABLE idempotency_keys (
    user_id     bigint NOT NULL CONSTRAINT idempotency_keys_user_id_fkey REFERENCES users ON DELETE CASCADE,
    key         text NOT NULL CONSTRAINT idempotency_keys_key_check CHECK (char_length(key) BETWEEN 1 AND 255),
    -- A hash of method, route and body: tells a repetition from another request under the same key.
    fingerprint text NOT NULL,
    status      smallint NOT NULL,
    body        text NOT NULL,
    etag        text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (user_id, key)
);

CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at);
