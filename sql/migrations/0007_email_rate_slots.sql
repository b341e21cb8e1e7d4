-- EMAIL_RATE_LIMIT in every sliding minute, over all workers together and across restarts: to offer a mail a worker
-- takes a slot, and a slot is free again a window after the provider has answered: n slots, at most n in a window. The
-- window is the minute, or a second for limits so large that a sixtieth of them is still enough slots.

CREATE TABLE email_rate_slots (
    slot    integer CONSTRAINT email_rate_slots_pkey PRIMARY KEY,
    free_at timestamptz NOT NULL DEFAULT '-infinity'
);

CREATE INDEX email_rate_slots_free_at_idx ON email_rate_slots (free_at);

ALTER TABLE emails ADD COLUMN rate_slot integer;
