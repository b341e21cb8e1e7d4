-- One meeting, one row: what a guest books is an appointment, with its guests beside it. Its hosts are the people whose
-- diaries have an entry that points to it. All columns of bookings that clients know stay as they are.

CREATE TABLE appointments (
    id                    bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT appointments_pkey PRIMARY KEY,
    -- What guests and calendars know it by.
    uid                   text NOT NULL CONSTRAINT appointments_uid_key UNIQUE,
    event_type_id         bigint CONSTRAINT appointments_event_type_id_fkey REFERENCES event_types ON DELETE SET NULL,
    title                 text NOT NULL CONSTRAINT appointments_title_check CHECK (char_length(title) BETWEEN 1 AND 255),
    start_time            timestamptz NOT NULL,
    end_time              timestamptz NOT NULL,
    buffer_before_minutes integer NOT NULL DEFAULT 0,
    buffer_after_minutes  integer NOT NULL DEFAULT 0,
    status                text NOT NULL DEFAULT 'confirmed'
                          CONSTRAINT appointments_status_check CHECK (status IN ('confirmed', 'cancelled')),
    -- Counts the changes; an ETag is made of it.
    version               bigint NOT NULL DEFAULT 1,
    -- How often the invitation was changed, for calendars (RFC 5545, section 3.8.7.4).
    sequence              integer NOT NULL DEFAULT 0,
    -- Who was chosen when it was made, and who was not and why.
    assignment            jsonb,
    cancel_reason         text,
    -- Who booked, as addresses compare. Appointments from before have none: some guests have two hosts at a time.
    guest_address         text,
    -- A hash of the hold that was booked, of its start and its guest: whoever repeats all three is answered the same.
    hold_hash             bytea,
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT appointments_interval_check CHECK (end_time > start_time),
    CONSTRAINT appointments_duration_check CHECK (end_time - start_time <= interval '366 days')
);

-- An address books a start of an event type once, with however many hosts.
CREATE UNIQUE INDEX appointments_guest_address_event_type_id_start_time_idx
    ON appointments (guest_address, event_type_id, start_time) WHERE status = 'confirmed';
CREATE INDEX appointments_hold_hash_idx ON appointments (hold_hash) WHERE hold_hash IS NOT NULL;
CREATE INDEX appointments_event_type_id_idx ON appointments (event_type_id) WHERE event_type_id IS NOT NULL;

CREATE TABLE appointment_guests (
    id                bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT appointment_guests_pkey PRIMARY KEY,
    appointment_id    bigint NOT NULL
                      CONSTRAINT appointment_guests_appointment_id_fkey REFERENCES appointments ON DELETE CASCADE,
    name              text NOT NULL,
    email             text NOT NULL,
    time_zone         text NOT NULL,
    notes             text,
    -- Each guest has a token of their own that manages the appointment.
    manage_token_hash bytea NOT NULL
);

CREATE INDEX appointment_guests_appointment_id_id_idx ON appointment_guests (appointment_id, id);

ALTER TABLE bookings ADD COLUMN appointment_id bigint;
ALTER TABLE bookings ADD CONSTRAINT bookings_appointment_id_fkey
    FOREIGN KEY (appointment_id) REFERENCES appointments ON DELETE CASCADE NOT VALID;

-- An appointment without a host is none: it goes with the last of them, and its guests go with it.
CREATE FUNCTION delete_hostless_appointment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- The lock is a statement of its own so that the next one sees who else has gone meanwhile.
    PERFORM FROM appointments WHERE id = OLD.appointment_id FOR UPDATE;
    DELETE FROM appointments
    WHERE id = OLD.appointment_id AND NOT EXISTS (SELECT FROM bookings WHERE appointment_id = OLD.appointment_id);
    RETURN NULL;
END $$;

CREATE TRIGGER bookings_hostless_appointment AFTER DELETE ON bookings
    FOR EACH ROW WHEN (OLD.appointment_id IS NOT NULL) EXECUTE FUNCTION delete_hostless_appointment();
