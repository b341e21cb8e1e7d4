-- Who books and cancels again and again is told twice a minute: a later mail waits, and where it tells nothing any more it
-- is superseded. Columns without a default are added in an instant.

ALTER TABLE emails
    -- The guest and the event type of an appointment, as a number made of them.
    ADD COLUMN pair bigint,
    ADD COLUMN put_off_until timestamptz,
    DROP CONSTRAINT emails_status_check,
    ADD CONSTRAINT emails_status_check CHECK (status IN ('pending', 'sent', 'dead', 'superseded')) NOT VALID;
