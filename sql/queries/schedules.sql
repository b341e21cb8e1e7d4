-- Who writes a schedule locks all of the person's (lock_schedules), so that one of them at most is the default.
-- The lock is a statement of its own so that the next one sees what was committed meanwhile.

-- name: insert_schedule(user_id, name, time_zone, rules, overrides, is_default)^
-- Write down when a person can be booked. The first schedule is the default; a new default takes it from the old one.
SELECT lock_schedules(:user_id);
WITH former AS (
    UPDATE schedules SET is_default = false, version = version + 1, updated_at = now()
    WHERE user_id = :user_id AND is_default AND :is_default
    RETURNING id
)
INSERT INTO schedules (user_id, name, time_zone, rules, overrides, is_default)
SELECT :user_id, :name, :time_zone, :rules::jsonb, :overrides::jsonb,
       :is_default OR NOT EXISTS (SELECT FROM schedules WHERE user_id = :user_id)
-- The index allows the new default only when the old one has gone.
FROM (SELECT count(*) FROM former) AS gone
RETURNING id, name, time_zone, is_default, rules, overrides, version, created_at, updated_at;

-- name: select_schedules(user_id, after_id, limit)
-- List a person's schedules, newest first.
SELECT id, name, time_zone, is_default, rules, overrides, version, created_at, updated_at
FROM schedules
WHERE user_id = :user_id AND id < coalesce(:after_id::bigint, 9223372036854775807)
ORDER BY id DESC
LIMIT :limit;

-- name: select_schedule(schedule_id, user_id)^
-- Find one schedule of a person.
SELECT id, name, time_zone, is_default, rules, overrides, version, created_at, updated_at
FROM schedules
WHERE id = :schedule_id AND user_id = :user_id;

-- name: change_schedule(schedule_id, user_id, name, time_zone, rules, overrides, is_default, versions)^
-- Change a schedule; a new default takes it from the old one. What changes nothing leaves it as it is. No row: not
-- there. A refusal says why nothing was changed.
SELECT lock_schedules(:user_id);
WITH verdict AS MATERIALIZED (
    SELECT id,
           (name, time_zone, rules, overrides, is_default) IS DISTINCT FROM
               (coalesce(:name, name), coalesce(:time_zone, time_zone), coalesce(:rules::jsonb, rules),
                coalesce(:overrides::jsonb, overrides), coalesce(:is_default::boolean, is_default)) AS differs,
           CASE WHEN NOT version = ANY(coalesce(:versions::bigint[], ARRAY[version]))
                THEN 'precondition_failed' END AS refusal
    FROM schedules
    WHERE id = :schedule_id AND user_id = :user_id
), former AS (
    UPDATE schedules SET is_default = false, version = version + 1, updated_at = now()
    FROM verdict
    WHERE user_id = :user_id AND is_default AND :is_default::boolean AND schedules.id <> verdict.id AND refusal IS NULL
    RETURNING schedules.id
), changed AS (
    UPDATE schedules
    SET name = coalesce(:name, name), time_zone = coalesce(:time_zone, time_zone),
        rules = coalesce(:rules::jsonb, rules), overrides = coalesce(:overrides::jsonb, overrides),
        is_default = coalesce(:is_default::boolean, is_default), version = version + differs::integer,
        updated_at = CASE WHEN differs THEN now() ELSE updated_at END
    -- The index allows the new default only when the old one has gone.
    FROM verdict, (SELECT count(*) FROM former) AS gone
    WHERE schedules.id = verdict.id AND refusal IS NULL
    RETURNING schedules.id, name, time_zone, is_default, rules, overrides, version, created_at, updated_at
)
SELECT changed.id, name, time_zone, is_default, rules, overrides, version, created_at, updated_at, refusal
FROM verdict LEFT JOIN changed ON true;

-- name: delete_schedule(schedule_id, user_id, versions)^
-- Delete a schedule; event types that had it fall back to the default of each host. No row: not there.
SELECT lock_schedules(:user_id);
WITH verdict AS MATERIALIZED (
    SELECT id, CASE WHEN NOT version = ANY(coalesce(:versions::bigint[], ARRAY[version]))
                    THEN 'precondition_failed' END AS refusal
    FROM schedules
    WHERE id = :schedule_id AND user_id = :user_id
), released AS (
    -- The foreign key would do as much, but leave the version as it is.
    UPDATE event_types SET schedule_id = NULL, version = event_types.version + 1, updated_at = now()
    FROM verdict
    WHERE schedule_id = verdict.id AND refusal IS NULL
), deleted AS (
    DELETE FROM schedules USING verdict WHERE schedules.id = verdict.id AND refusal IS NULL
)
SELECT id, refusal FROM verdict;
