-- Account mail before bookings before the rest, and what one sender floods the line with behind all of them. Columns with
-- a constant default and a trigger are added in an instant; no row is read or rewritten.

ALTER TABLE emails
    -- 1 account, 2 booking, 3 other, 4 bulk: jobs/classes.py.
    ADD COLUMN class smallint NOT NULL DEFAULT 2,
    -- Who caused the mail, as a number made of it: where nothing else is known, its recipient.
    ADD COLUMN origin bigint;

-- How often a slot was used: it is offered to the classes in turns.
ALTER TABLE email_rate_slots ADD COLUMN turns integer NOT NULL DEFAULT 0;

-- A trigger, so that a statement of an earlier release has its mail classed as well.
-- Its plans stay as they are however the table grows: along the indexes.
CREATE FUNCTION class_email() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
    NEW.origin := coalesce(NEW.origin, hashtextextended(NEW.recipient, 0));
    NEW.class := CASE WHEN NEW.kind = 'WELCOME' OR NEW.kind ~ '^(PASSWORD|EMAIL)_' THEN 1
                      WHEN NEW.kind ~ '^(BOOKING|APPOINTMENT)_' THEN 2
                      ELSE 3 END;
    -- Of one origin and class at most twenty wait ahead of others; and nobody waits ahead of the mail that they follow.
    IF (SELECT count(*) FROM (
            SELECT FROM emails WHERE status = 'pending' AND origin = NEW.origin AND class = NEW.class LIMIT 20) AS ahead) = 20
       OR EXISTS (SELECT FROM emails WHERE booking_id = NEW.booking_id AND status = 'pending' AND class = 4) THEN
        NEW.class := 4;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER emails_class BEFORE INSERT ON emails FOR EACH ROW EXECUTE FUNCTION class_email();
