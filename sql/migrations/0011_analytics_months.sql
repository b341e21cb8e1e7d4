-- Events by month (UTC): a month that has outlived its use is dropped instead of deleted row by row. The table that was
-- there becomes the first partition, so no event is copied; what no month takes goes to the default partition.

ALTER TABLE analytics_events RENAME TO analytics_events_first;
ALTER SEQUENCE analytics_events_id_seq RENAME TO analytics_events_first_id_seq;
ALTER INDEX analytics_events_event_type_created_at_id_idx RENAME TO analytics_events_first_event_type_created_at_id_idx;
ALTER INDEX analytics_events_user_id_idx RENAME TO analytics_events_first_user_id_idx;
-- The key of a partitioned table contains the time; it also serves the list, newest first, read backwards.
ALTER TABLE analytics_events_first
    DROP CONSTRAINT analytics_events_pkey,
    ADD CONSTRAINT analytics_events_first_pkey PRIMARY KEY (created_at, id);
DROP INDEX analytics_events_created_at_id_idx;

CREATE TABLE analytics_events (
    id         bigint GENERATED ALWAYS AS IDENTITY,
    user_id    bigint CONSTRAINT analytics_events_user_id_fkey REFERENCES users ON DELETE SET NULL,
    event_type text NOT NULL
               CONSTRAINT analytics_events_event_type_check CHECK (char_length(event_type) BETWEEN 1 AND 100),
    metadata   jsonb NOT NULL DEFAULT '{}'
               CONSTRAINT analytics_events_metadata_check CHECK (jsonb_typeof(metadata) = 'object'),
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT analytics_events_pkey PRIMARY KEY (created_at, id)
) PARTITION BY RANGE (created_at);

CREATE INDEX analytics_events_event_type_created_at_id_idx ON analytics_events (event_type, created_at DESC, id DESC);
CREATE INDEX analytics_events_user_id_idx ON analytics_events (user_id) WHERE user_id IS NOT NULL;

CREATE TABLE analytics_events_default PARTITION OF analytics_events DEFAULT;

-- Every range partition, and where it ends.
CREATE VIEW analytics_months AS
SELECT relname::text AS name, substring(bound FROM $$TO \('([^']+)'\)$$)::timestamptz AS until
FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid, pg_get_expr(relpartbound, pg_class.oid) AS bound
WHERE inhparent = 'analytics_events'::regclass AND bound <> 'DEFAULT';

-- Creates the partition of a month, unless it is there, with what the default partition holds of it. Events go on
-- being written meanwhile; whatever keeps the default partition locked for longer than the limit is left alone.
CREATE FUNCTION open_analytics_month(month timestamptz) RETURNS void
LANGUAGE plpgsql SET TimeZone = 'UTC' SET lock_timeout = '200ms' AS $$
DECLARE
    name text := to_char(month, '"analytics_events_"YYYY_MM');
    until timestamptz := month + interval '1 month';
BEGIN
    PERFORM pg_advisory_xact_lock(7316420002);
    IF to_regclass(name) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE analytics_events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
    LOCK TABLE analytics_events_default IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('WITH moved AS (DELETE FROM analytics_events_default WHERE created_at >= %L AND created_at < %L '
                   'RETURNING *) INSERT INTO %I SELECT * FROM moved', month, until, name);
    EXECUTE format('ALTER TABLE analytics_events ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, month, until);
END $$;

-- Drops the months that ended before an instant, and returns where the last of them ended.
CREATE FUNCTION drop_analytics_months(before timestamptz) RETURNS timestamptz
LANGUAGE plpgsql SET lock_timeout = '200ms' AS $$
DECLARE
    names text;
    dropped_until timestamptz;
BEGIN
    SELECT string_agg(quote_ident(name), ', '), max(until) INTO names, dropped_until
    FROM analytics_months WHERE until <= before;
    IF names IS NOT NULL THEN
        EXECUTE 'DROP TABLE ' || names;
        DELETE FROM analytics_events_default WHERE created_at < dropped_until;
    END IF;
    RETURN dropped_until;
END $$;

DO $$
DECLARE
    next_id bigint := nextval('analytics_events_first_id_seq');
    next_month timestamptz := (date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC';
BEGIN
    ALTER TABLE analytics_events_first ALTER COLUMN id DROP IDENTITY;
    PERFORM setval('analytics_events_id_seq', next_id, false);
    WITH moved AS (DELETE FROM analytics_events_first WHERE created_at >= next_month
                   RETURNING id, user_id, event_type, metadata, created_at)
    INSERT INTO analytics_events (id, user_id, event_type, metadata, created_at) OVERRIDING SYSTEM VALUE
    SELECT id, user_id, event_type, metadata, created_at FROM moved;
    -- The moved rows are checked now: no table may be attached while checks are due.
    SET CONSTRAINTS ALL IMMEDIATE;
    EXECUTE format('ALTER TABLE analytics_events ATTACH PARTITION analytics_events_first '
                   'FOR VALUES FROM (MINVALUE) TO (%L)', next_month);
END $$;
