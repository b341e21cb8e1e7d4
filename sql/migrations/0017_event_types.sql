-- What others may book: how long, with whom, under which rules.

CREATE TABLE event_types (
    id                    bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT event_types_pkey PRIMARY KEY,
    -- The link that is shared; whoever has it may book.
    uid                   text NOT NULL CONSTRAINT event_types_uid_key UNIQUE,
    owner_id              bigint NOT NULL CONSTRAINT event_types_owner_id_fkey REFERENCES users ON DELETE CASCADE,
    organization_id       bigint CONSTRAINT event_types_organization_id_fkey REFERENCES organizations ON DELETE CASCADE,
    title                 text NOT NULL CONSTRAINT event_types_title_check CHECK (char_length(title) BETWEEN 1 AND 255),
    description           text NOT NULL DEFAULT ''
                          CONSTRAINT event_types_description_check CHECK (char_length(description) <= 2000),
    duration_minutes      integer NOT NULL
                          CONSTRAINT event_types_duration_minutes_check CHECK (duration_minutes BETWEEN 1 AND 1440),
    slot_minutes          integer NOT NULL CONSTRAINT event_types_slot_minutes_check CHECK (slot_minutes BETWEEN 5 AND 1440),
    buffer_before_minutes integer NOT NULL DEFAULT 0
                          CONSTRAINT event_types_buffer_before_minutes_check CHECK (buffer_before_minutes BETWEEN 0 AND 1440),
    buffer_after_minutes  integer NOT NULL DEFAULT 0
                          CONSTRAINT event_types_buffer_after_minutes_check CHECK (buffer_after_minutes BETWEEN 0 AND 1440),
    notice_minutes        integer NOT NULL DEFAULT 0
                          CONSTRAINT event_types_notice_minutes_check CHECK (notice_minutes BETWEEN 0 AND 527040),
    horizon_days          integer NOT NULL DEFAULT 60
                          CONSTRAINT event_types_horizon_days_check CHECK (horizon_days BETWEEN 1 AND 730),
    daily_limit           integer CONSTRAINT event_types_daily_limit_check CHECK (daily_limit BETWEEN 1 AND 1440),
    -- Without one, each host's default schedule counts.
    schedule_id           bigint CONSTRAINT event_types_schedule_id_fkey REFERENCES schedules ON DELETE SET NULL,
    assignment            text NOT NULL CONSTRAINT event_types_assignment_check CHECK (assignment IN ('one', 'any', 'all')),
    is_active             boolean NOT NULL DEFAULT true,
    version               bigint NOT NULL DEFAULT 1,
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX event_types_owner_id_id_idx ON event_types (owner_id, id);
CREATE INDEX event_types_organization_id_id_idx ON event_types (organization_id, id) WHERE organization_id IS NOT NULL;
CREATE INDEX event_types_schedule_id_idx ON event_types (schedule_id) WHERE schedule_id IS NOT NULL;

-- Who can be booked through it. Who leaves the organization stays here, and is not bookable until they come back.
CREATE TABLE event_type_hosts (
    event_type_id bigint NOT NULL CONSTRAINT event_type_hosts_event_type_id_fkey REFERENCES event_types ON DELETE CASCADE,
    user_id       bigint NOT NULL CONSTRAINT event_type_hosts_user_id_fkey REFERENCES users ON DELETE CASCADE,
    CONSTRAINT event_type_hosts_pkey PRIMARY KEY (event_type_id, user_id)
);

CREATE INDEX event_type_hosts_user_id_idx ON event_type_hosts (user_id);
