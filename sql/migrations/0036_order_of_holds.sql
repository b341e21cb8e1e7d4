-- Two who forget the same holds that have run out do so in one order, as everywhere else: nobody waits for each other.
-- A function is replaced in an instant.

CREATE OR REPLACE FUNCTION keep_claim() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status <> 'confirmed' THEN
        DELETE FROM claims WHERE booking_id = NEW.id;
    ELSE
        -- A hold that has run out is in nobody's way.
        DELETE FROM holds
        WHERE id IN (
            SELECT id FROM holds WHERE expires_at <= now() AND NEW.user_id = ANY(hosts) ORDER BY id FOR UPDATE);
        INSERT INTO claims (user_id, booking_id, during)
        VALUES (NEW.user_id, NEW.id,
                tstzrange(NEW.start_time - make_interval(mins => NEW.buffer_before_minutes),
                          NEW.end_time + make_interval(mins => NEW.buffer_after_minutes)))
        ON CONFLICT ON CONSTRAINT claims_booking_id_key DO UPDATE SET during = excluded.during;
    END IF;
    RETURN NULL;
END $$;
