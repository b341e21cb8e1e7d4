-- The dashboard in time that does not grow with the events: workers add them up, by day, hour and five minutes.

-- Which transaction wrote an event. Numbers are given when a transaction begins to write and seen when it commits, but
-- below the oldest that is still running (pg_snapshot_xmin) nothing is added any more: so far, and no further, events
-- are added up. Older events need no number of their own.
ALTER TABLE analytics_events ADD COLUMN recorded_by xid8 NOT NULL DEFAULT '0';
ALTER TABLE analytics_events ALTER COLUMN recorded_by SET DEFAULT pg_current_xact_id();
CREATE INDEX analytics_events_recorded_by_id_idx ON analytics_events (recorded_by, id);

-- One row: events up to this one, in the order of (recorded_by, id), are added up, and no others.
CREATE TABLE analytics_rollup (
    single      boolean NOT NULL DEFAULT true
                CONSTRAINT analytics_rollup_pkey PRIMARY KEY CONSTRAINT analytics_rollup_single_check CHECK (single),
    recorded_by xid8 NOT NULL,
    event_id    bigint NOT NULL,
    -- The transaction that wrote this row: its xmin. In a copy that pg_restore or replication has made they differ, and
    -- the numbers of transactions mean nothing there: everything is added up anew.
    written_by  xid8 NOT NULL
);

INSERT INTO analytics_rollup (recorded_by, event_id, written_by) VALUES ('0', 0, pg_current_xact_id());

-- Events by type; the type '' stands for all of them. A bucket begins at a multiple of its width, which is in seconds.
CREATE TABLE analytics_counts (
    width      integer NOT NULL,
    bucket     timestamptz NOT NULL,
    event_type text NOT NULL,
    count      bigint NOT NULL,
    -- Whose last event of the type lies in this bucket. Over all buckets from an instant on these add up to the number
    -- of people who were seen since.
    users      bigint NOT NULL,
    first_at   timestamptz NOT NULL,
    last_at    timestamptz NOT NULL,
    CONSTRAINT analytics_counts_pkey PRIMARY KEY (width, bucket, event_type)
) WITH (fillfactor = 80);

-- When a person's last event of a type happened; the type '' stands for all.
CREATE TABLE analytics_last_seen (
    user_id    bigint NOT NULL CONSTRAINT analytics_last_seen_user_id_fkey REFERENCES users ON DELETE CASCADE,
    event_type text NOT NULL,
    last_at    timestamptz NOT NULL,
    CONSTRAINT analytics_last_seen_pkey PRIMARY KEY (user_id, event_type)
) WITH (fillfactor = 80);

-- Forgets what was added up elsewhere, and tells whether there was anything to forget.
CREATE FUNCTION reset_foreign_rollup() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    UPDATE analytics_rollup SET recorded_by = '0', event_id = 0, written_by = pg_current_xact_id()
    WHERE xmin <> xid(written_by);
    IF FOUND THEN
        TRUNCATE analytics_counts, analytics_last_seen;
    END IF;
    RETURN FOUND;
END $$;

-- Who is removed leaves anonymous events behind, and is no longer one of the people who were seen.
CREATE FUNCTION forget_analytics_users() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE analytics_counts SET users = analytics_counts.users - less.users
    FROM (
        SELECT width, date_bin(make_interval(secs => width), last_at, 'epoch') AS bucket, event_type, count(*) AS users
        FROM gone, unnest(ARRAY[300, 3600, 86400]) AS width
        GROUP BY 1, 2, 3
    ) AS less
    WHERE (analytics_counts.width, analytics_counts.bucket, analytics_counts.event_type)
        = (less.width, less.bucket, less.event_type);
    RETURN NULL;
END $$;

CREATE TRIGGER forget_analytics_users AFTER DELETE ON analytics_last_seen
REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION forget_analytics_users();

-- Nobody is removed while events are added up: the same lock as the workers take.
CREATE FUNCTION hold_analytics() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7316420002);
    RETURN NULL;
END $$;

CREATE TRIGGER hold_analytics BEFORE DELETE ON users FOR EACH STATEMENT EXECUTE FUNCTION hold_analytics();
