-- Nobody is booked twice. Whatever takes a person's time for itself holds a claim on it: exclusive diary entries,
-- bookings by guests with their buffers, and holds. One constraint decides between all of them.

ALTER TABLE bookings
    -- Of one booking there is a row for each host; all of them bear the same uid, and change together.
    ADD COLUMN uid text,
    ADD COLUMN event_type_uid text
        CONSTRAINT bookings_event_type_uid_fkey REFERENCES event_types (uid) ON DELETE SET NULL,
    ADD COLUMN hosts bigint[],
    ADD COLUMN guest jsonb,
    ADD COLUMN assignment jsonb,
    ADD COLUMN manage_token_hash bytea,
    ADD COLUMN buffer_before_minutes integer NOT NULL DEFAULT 0,
    ADD COLUMN buffer_after_minutes integer NOT NULL DEFAULT 0,
    -- How often an invitation was changed, for calendars (RFC 5545, section 3.8.7.4).
    ADD COLUMN sequence integer NOT NULL DEFAULT 0,
    ADD COLUMN cancel_reason text;

CREATE INDEX bookings_uid_idx ON bookings (uid) WHERE uid IS NOT NULL;
-- The upcoming bookings of a kind, by host: who has the fewest is next.
CREATE INDEX bookings_event_type_uid_user_id_start_time_idx ON bookings (event_type_uid, user_id, start_time)
    WHERE event_type_uid IS NOT NULL AND status = 'confirmed';

CREATE TABLE holds (
    id            bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT holds_pkey PRIMARY KEY,
    uid           text NOT NULL CONSTRAINT holds_uid_key UNIQUE,
    event_type_id bigint NOT NULL CONSTRAINT holds_event_type_id_fkey REFERENCES event_types ON DELETE CASCADE,
    start_time    timestamptz NOT NULL,
    end_time      timestamptz NOT NULL,
    hosts         bigint[] NOT NULL,
    -- Who was chosen when it was made, and who was not and why.
    assignment    jsonb NOT NULL,
    -- Whose it is: how many an address may have open is limited.
    address       text NOT NULL,
    expires_at    timestamptz NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX holds_address_expires_at_idx ON holds (address, expires_at);
CREATE INDEX holds_expires_at_idx ON holds (expires_at);
CREATE INDEX holds_event_type_id_idx ON holds (event_type_id);

CREATE TABLE claims (
    id         bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT claims_pkey PRIMARY KEY,
    user_id    bigint NOT NULL CONSTRAINT claims_user_id_fkey REFERENCES users ON DELETE CASCADE,
    during     tstzrange NOT NULL CONSTRAINT claims_during_check CHECK (NOT isempty(during)),
    booking_id bigint CONSTRAINT claims_booking_id_key UNIQUE
               CONSTRAINT claims_booking_id_fkey REFERENCES bookings ON DELETE CASCADE,
    hold_id    bigint CONSTRAINT claims_hold_id_fkey REFERENCES holds ON DELETE CASCADE,
    CONSTRAINT claims_reason_check CHECK (num_nonnulls(booking_id, hold_id) = 1),
    -- The guarantee.
    CONSTRAINT claims_user_id_during_excl EXCLUDE USING gist (user_id WITH =, during WITH &&)
);

CREATE INDEX claims_hold_id_idx ON claims (hold_id) WHERE hold_id IS NOT NULL;

-- The claim of an entry follows the entry, whichever statement changes it.
CREATE FUNCTION keep_claim() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status <> 'confirmed' THEN
        DELETE FROM claims WHERE booking_id = NEW.id;
    ELSE
        -- A hold that has run out is in nobody's way.
        DELETE FROM holds WHERE expires_at <= now() AND NEW.user_id = ANY(hosts);
        INSERT INTO claims (user_id, booking_id, during)
        VALUES (NEW.user_id, NEW.id,
                tstzrange(NEW.start_time - make_interval(mins => NEW.buffer_before_minutes),
                          NEW.end_time + make_interval(mins => NEW.buffer_after_minutes)))
        ON CONFLICT ON CONSTRAINT claims_booking_id_key DO UPDATE SET during = excluded.during;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER bookings_claim_on_insert AFTER INSERT ON bookings
    FOR EACH ROW WHEN (NEW.exclusive) EXECUTE FUNCTION keep_claim();
CREATE TRIGGER bookings_claim_on_update AFTER UPDATE OF start_time, end_time, status ON bookings
    FOR EACH ROW WHEN (NEW.exclusive) EXECUTE FUNCTION keep_claim();

INSERT INTO claims (user_id, booking_id, during)
SELECT user_id, id, tstzrange(start_time, end_time) FROM bookings WHERE exclusive AND status = 'confirmed';

-- bookings_user_id_interval_excl stays for now: the release before names it in its statements.
