-- Events that clients report. A person who is removed leaves anonymous events behind.

CREATE TABLE analytics_events (
    id         bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT analytics_events_pkey PRIMARY KEY,
    user_id    bigint CONSTRAINT analytics_events_user_id_fkey REFERENCES users ON DELETE SET NULL,
    event_type text NOT NULL
               CONSTRAINT analytics_events_event_type_check CHECK (char_length(event_type) BETWEEN 1 AND 100),
    metadata   jsonb NOT NULL DEFAULT '{}'
               CONSTRAINT analytics_events_metadata_check CHECK (jsonb_typeof(metadata) = 'object'),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX analytics_events_event_type_created_at_id_idx ON analytics_events (event_type, created_at DESC, id DESC);
CREATE INDEX analytics_events_created_at_id_idx ON analytics_events (created_at DESC, id DESC);
CREATE INDEX analytics_events_user_id_idx ON analytics_events (user_id) WHERE user_id IS NOT NULL;
