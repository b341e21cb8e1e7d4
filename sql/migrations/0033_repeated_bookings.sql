-- What tells a guest's second request for the same from a request for more. Columns without a default and a table of
-- its own: the locks are held for an instant, however many bookings there are.

ALTER TABLE bookings
    -- Who booked, as addresses compare. Bookings from before have none: some guests have two hosts at a time.
    ADD COLUMN guest_address text,
    -- A hash of the hold that was booked, of its start and its guest: whoever repeats all three is answered the same.
    ADD COLUMN hold_hash bytea;

ALTER TABLE idempotency_keys ADD COLUMN location text;

-- What those were answered who repeat without being signed in. Apart from the keys of users, which go with their user.
CREATE TABLE guest_idempotency_keys (
    -- A guest's address where the route has one, else that of the network.
    address     text NOT NULL,
    path        text NOT NULL,
    key         text NOT NULL CONSTRAINT guest_idempotency_keys_key_check CHECK (char_length(key) BETWEEN 1 AND 255),
    fingerprint text NOT NULL,
    status      smallint NOT NULL,
    body        text NOT NULL,
    etag        text,
    location    text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT guest_idempotency_keys_pkey PRIMARY KEY (address, path, key)
);

CREATE INDEX guest_idempotency_keys_created_at_idx ON guest_idempotency_keys (created_at);
