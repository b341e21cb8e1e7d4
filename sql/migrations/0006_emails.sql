-- The outbox. A row is an e-mail that was promised: it is written in the transaction of the work that promised it,
-- and it stays until a provider has accepted it (sent) or it has failed for good (dead). Redis only rings the bell.

CREATE TABLE emails (
    id                  bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT emails_pkey PRIMARY KEY,
    kind                text NOT NULL
                        CONSTRAINT emails_kind_check
                        CHECK (kind IN ('WELCOME', 'BOOKING_CONFIRMATION', 'BOOKING_CANCELLED', 'ORG_INVITE')),
    recipient           text NOT NULL,
    data                jsonb NOT NULL,
    booking_id          bigint CONSTRAINT emails_booking_id_fkey REFERENCES bookings ON DELETE SET NULL,
    status              text NOT NULL DEFAULT 'pending'
                        CONSTRAINT emails_status_check CHECK (status IN ('pending', 'sent', 'dead')),
    -- Rendered at the first attempt and kept, so that every attempt offers the same bytes under the same key.
    sender              text,
    subject             text,
    text_body           text,
    html_body           text,
    idempotency_key     uuid NOT NULL DEFAULT gen_random_uuid(),
    -- Attempts: how often it was offered. Rejections: how often the provider refused this very mail.
    attempts            integer NOT NULL DEFAULT 0,
    rejections          integer NOT NULL DEFAULT 0,
    -- The horizon counts from here; a replay starts it anew.
    pending_since       timestamptz NOT NULL DEFAULT now(),
    next_attempt_at     timestamptz NOT NULL DEFAULT now(),
    -- When the sweep rings for a row that is still pending: nobody rang, or who was rung for never came.
    ring_at             timestamptz NOT NULL DEFAULT now() + interval '2 seconds',
    -- Who claims a row holds it until lease_until; the fence tells a holder from one that slept through its lease.
    lease_until         timestamptz,
    fence               bigint NOT NULL DEFAULT 0,
    last_failure        text,
    last_error          text,
    provider_message_id text,
    -- The request that promised the mail; a line in the log of either side leads to the other.
    request_id          text,
    created_at          timestamptz NOT NULL DEFAULT now(),
    settled_at          timestamptz
);

-- The sweep asks for pending rows by these times; sent rows never slow it down.
CREATE INDEX emails_ring_at_idx ON emails (ring_at) WHERE status = 'pending';
CREATE INDEX emails_next_attempt_at_idx ON emails (next_attempt_at, id) WHERE status = 'pending';
-- Mails about one booking leave in order: is there an earlier one that is still pending?
CREATE INDEX emails_booking_id_id_idx ON emails (booking_id, id) WHERE booking_id IS NOT NULL;
CREATE INDEX emails_dead_idx ON emails (id) WHERE status = 'dead';
