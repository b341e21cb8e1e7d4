-- What a person is told inside the application.

CREATE TABLE notifications (
    id         bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT notifications_pkey PRIMARY KEY,
    user_id    bigint NOT NULL CONSTRAINT notifications_user_id_fkey REFERENCES users ON DELETE CASCADE,
    type       text NOT NULL
               CONSTRAINT notifications_type_check CHECK (type IN ('BOOKING_CONFIRMED', 'BOOKING_CANCELLED', 'ORG_INVITE')),
    title      text NOT NULL,
    message    text NOT NULL,
    is_read    boolean NOT NULL DEFAULT false,
    metadata   jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Unread first, then newest: the order of the list.
CREATE INDEX notifications_user_id_is_read_created_at_id_idx
    ON notifications (user_id, is_read, created_at DESC, id DESC);

-- The unread badge is asked for on every page: this holds only what it counts.
CREATE INDEX notifications_user_id_unread_idx ON notifications (user_id) WHERE NOT is_read;
