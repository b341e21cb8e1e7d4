-- Bookings: half-open intervals [start_time, end_time) in the diary of one person.

-- Lets one exclusion constraint compare an id with = and a range with &&.
CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE bookings (
    id         bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT bookings_pkey PRIMARY KEY,
    user_id    bigint NOT NULL CONSTRAINT bookings_user_id_fkey REFERENCES users ON DELETE CASCADE,
    title      text NOT NULL CONSTRAINT bookings_title_check CHECK (char_length(title) BETWEEN 1 AND 255),
    start_time timestamptz NOT NULL,
    end_time   timestamptz NOT NULL,
    -- Cancelling keeps the row: history and analytics outlive the appointment.
    status     text NOT NULL DEFAULT 'confirmed'
               CONSTRAINT bookings_status_check CHECK (status IN ('confirmed', 'cancelled')),
    exclusive  boolean NOT NULL DEFAULT false,
    -- Counts the changes of a row; an ETag is made of it.
    version    bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT bookings_interval_check CHECK (end_time > start_time),
    CONSTRAINT bookings_duration_check CHECK (end_time - start_time <= interval '366 days'),
    -- The guarantee. Ordinary entries are not in this index and do not pay for it.
    CONSTRAINT bookings_user_id_interval_excl EXCLUDE USING gist (
        user_id WITH =, tstzrange(start_time, end_time) WITH &&
    ) WHERE (exclusive AND status = 'confirmed')
);

-- Serves the list (start_time descending, keyset-paged) and the search for overlaps.
CREATE INDEX bookings_user_id_start_time_id_idx ON bookings (user_id, start_time DESC, id DESC);
