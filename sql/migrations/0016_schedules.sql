-- When a person can be booked: weekly hours on the wall of a place, and dates that replace them.

CREATE TABLE schedules (
    id         bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT schedules_pkey PRIMARY KEY,
    user_id    bigint NOT NULL CONSTRAINT schedules_user_id_fkey REFERENCES users ON DELETE CASCADE,
    name       text NOT NULL CONSTRAINT schedules_name_check CHECK (char_length(name) BETWEEN 1 AND 100),
    time_zone  text NOT NULL CONSTRAINT schedules_time_zone_check CHECK (char_length(time_zone) BETWEEN 1 AND 64),
    is_default boolean NOT NULL DEFAULT false,
    -- Read and written whole, as the API has them; the schema checks their shape.
    rules      jsonb NOT NULL CONSTRAINT schedules_rules_check CHECK (jsonb_typeof(rules) = 'array'),
    overrides  jsonb NOT NULL DEFAULT '[]' CONSTRAINT schedules_overrides_check CHECK (jsonb_typeof(overrides) = 'array'),
    version    bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX schedules_user_id_id_idx ON schedules (user_id, id);
-- At most one default a person.
CREATE UNIQUE INDEX schedules_user_id_default_idx ON schedules (user_id) WHERE is_default;
