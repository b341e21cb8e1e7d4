-- To whom the reader of a mail writes back, kept with the rendering; and the UID under which calendars know an entry in a
-- diary. A column without a default is added in an instant.

ALTER TABLE emails ADD COLUMN reply_to text;

-- Follows from what never changes, and differs between installations, whose entries meet in one person's calendar.
CREATE FUNCTION diary_uid(booking_id bigint, created_at timestamptz) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT md5(booking_id::text || ' ' || extract(epoch FROM created_at)::text)::uuid::text
$$;
