-- Who manages an event type: its owner or, where it belongs to an organization, the organization's admins, of whom its
-- owner is one. Hosts see all of it, as long as they belong to the organization.

-- name: insert_event_type(user_id, uid, organization_id, title, description, duration_minutes, slot_minutes, buffer_before_minutes, buffer_after_minutes, notice_minutes, horizon_days, daily_limit, schedule_id, hosts, assignment, is_active)^
-- Offer something to be booked, alone or for an organization. A refusal says why nothing was written.
WITH verdict AS MATERIALIZED (
    SELECT CASE WHEN :organization_id::bigint IS NOT NULL AND role IS NULL THEN 'organization_not_found'
                WHEN role <> 'admin' THEN 'forbidden'
                WHEN role IS NULL AND :hosts::bigint[] <> ARRAY[:user_id::bigint] THEN 'host_is_not_owner'
                WHEN cardinality(:hosts::bigint[]) > (
                    SELECT count(*) FROM organization_members
                    WHERE organization_id = :organization_id::bigint AND user_id = ANY(:hosts::bigint[])
                ) AND role IS NOT NULL THEN 'host_is_no_member'
                WHEN :schedule_id::bigint IS NOT NULL AND NOT EXISTS (
                    SELECT FROM schedules WHERE id = :schedule_id::bigint AND user_id = :user_id::bigint
                ) THEN 'schedule_not_found' END AS refusal
    FROM (
        SELECT (SELECT role FROM organization_members
                WHERE organization_id = :organization_id::bigint AND user_id = :user_id::bigint) AS role
    ) AS caller
), event_type AS (
    INSERT INTO event_types (uid, owner_id, organization_id, title, description, duration_minutes, slot_minutes,
                             buffer_before_minutes, buffer_after_minutes, notice_minutes, horizon_days, daily_limit,
                             schedule_id, assignment, is_active)
    SELECT :uid, :user_id::bigint, :organization_id::bigint, :title, :description, :duration_minutes, :slot_minutes,
           :buffer_before_minutes, :buffer_after_minutes, :notice_minutes, :horizon_days, :daily_limit::integer,
           :schedule_id::bigint, :assignment, :is_active
    FROM verdict
    WHERE refusal IS NULL
    RETURNING id, uid, owner_id, organization_id, title, description, duration_minutes, slot_minutes,
              buffer_before_minutes, buffer_after_minutes, notice_minutes, horizon_days, daily_limit, schedule_id,
              assignment, is_active, version, created_at, updated_at
), host AS (
    INSERT INTO event_type_hosts (event_type_id, user_id)
    SELECT id, user_id FROM event_type, unnest(:hosts::bigint[]) AS user_id
)
SELECT id, uid, owner_id, organization_id, title, description, duration_minutes, slot_minutes, buffer_before_minutes,
       buffer_after_minutes, notice_minutes, horizon_days, daily_limit, schedule_id, :hosts::bigint[] AS hosts,
       assignment, is_active, version, created_at, updated_at, refusal
FROM verdict LEFT JOIN event_type ON true;

-- name: select_event_types(user_id, organization_id, after_id, limit)
-- List what a person manages or hosts, newest first, optionally of one organization.
SELECT id, uid, owner_id, organization_id, title, description, duration_minutes, slot_minutes, buffer_before_minutes,
       buffer_after_minutes, notice_minutes, horizon_days, daily_limit, schedule_id,
       ARRAY(SELECT user_id FROM event_type_hosts WHERE event_type_id = event_types.id ORDER BY user_id) AS hosts,
       assignment, is_active, version, created_at, updated_at
FROM event_types
WHERE id IN (
    (
        SELECT id FROM event_types
        WHERE owner_id = :user_id AND organization_id IS NULL AND :organization_id::bigint IS NULL
          AND id < coalesce(:after_id::bigint, 9223372036854775807)
        ORDER BY id DESC LIMIT :limit
    ) UNION ALL (
        SELECT event_types.id
        FROM organization_members JOIN event_types USING (organization_id)
        WHERE user_id = :user_id AND (:organization_id::bigint IS NULL OR organization_id = :organization_id)
          AND event_types.id < coalesce(:after_id::bigint, 9223372036854775807)
          AND (role = 'admin' OR EXISTS (
              SELECT FROM event_type_hosts WHERE event_type_id = event_types.id AND user_id = :user_id))
        ORDER BY event_types.id DESC LIMIT :limit
    )
)
ORDER BY id DESC
LIMIT :limit;

-- name: select_event_type(uid, user_id, issued_at, token_id)^
-- Find an event type by its link; sees_all tells whether the caller manages or hosts it. A token that was revoked is
-- none. No row: not there, or inactive and not the caller's.
WITH caller AS (
    SELECT id FROM users
    WHERE id = :user_id::bigint AND tokens_valid_from <= to_timestamp(:issued_at::bigint)
      AND NOT EXISTS (SELECT FROM revoked_tokens WHERE jti = :token_id)
)
SELECT event_types.id, uid, owner_id, organization_id, title, description, duration_minutes, slot_minutes,
       buffer_before_minutes, buffer_after_minutes, notice_minutes, horizon_days, daily_limit, schedule_id, hosts,
       assignment, is_active, version, created_at, updated_at, sees_all
FROM event_types, LATERAL (
    SELECT ARRAY(SELECT user_id FROM event_type_hosts WHERE event_type_id = event_types.id ORDER BY user_id) AS hosts
) AS who, LATERAL (
    SELECT EXISTS (
        SELECT FROM caller LEFT JOIN organization_members AS membership
        ON membership.organization_id = event_types.organization_id AND membership.user_id = caller.id
        WHERE CASE WHEN event_types.organization_id IS NULL THEN caller.id = owner_id
                   ELSE role = 'admin' OR (role = 'member' AND caller.id = ANY(hosts)) END
    ) AS sees_all
) AS access
WHERE uid = :uid AND (is_active OR sees_all);

-- name: change_event_type(uid, user_id, changes, hosts, versions)^
-- Change an event type as a whole; what is null among the changes is taken away, and what changes nothing leaves it as
-- it is. No row: not there. A refusal says why nothing was changed. The lock is a statement of its own so that the next
-- one sees what was committed meanwhile.
SELECT FROM event_types WHERE uid = :uid FOR NO KEY UPDATE;
WITH target AS MATERIALIZED (
    SELECT event_types.id, event_types.owner_id, event_types.organization_id, event_types.version,
           merged.title, merged.description, merged.duration_minutes, merged.slot_minutes,
           merged.buffer_before_minutes, merged.buffer_after_minutes, merged.notice_minutes, merged.horizon_days,
           merged.daily_limit, merged.schedule_id, merged.assignment, merged.is_active,
           merged.schedule_id <> coalesce(event_types.schedule_id, 0) AS takes_schedule,
           coalesce(:hosts::bigint[], former.hosts) AS hosts,
           merged IS DISTINCT FROM event_types OR coalesce(:hosts::bigint[], former.hosts) <> former.hosts AS differs
    FROM event_types, jsonb_populate_record(event_types, :changes::jsonb) AS merged, LATERAL (
        SELECT ARRAY(SELECT user_id FROM event_type_hosts WHERE event_type_id = event_types.id ORDER BY user_id)
    ) AS former (hosts)
    WHERE event_types.uid = :uid
), verdict AS MATERIALIZED (
    SELECT target.*,
           CASE WHEN NOT manages_event_type(:user_id, owner_id, organization_id) THEN 'forbidden'
                WHEN assignment = 'one' AND cardinality(hosts) <> 1 THEN 'too_many_hosts'
                WHEN organization_id IS NULL AND hosts <> ARRAY[owner_id] THEN 'host_is_not_owner'
                -- Who has left the organization since may stay.
                WHEN organization_id IS NOT NULL AND cardinality(:hosts::bigint[]) > (
                    SELECT count(*) FROM organization_members
                    WHERE organization_id = target.organization_id AND user_id = ANY(:hosts::bigint[])
                ) THEN 'host_is_no_member'
                WHEN takes_schedule AND NOT EXISTS (
                    SELECT FROM schedules WHERE id = schedule_id AND user_id = :user_id::bigint
                ) THEN 'schedule_not_found'
                WHEN NOT version = ANY(coalesce(:versions::bigint[], ARRAY[version])) THEN 'precondition_failed'
           END AS refusal
    FROM target
), changed AS (
    UPDATE event_types
    SET title = verdict.title, description = verdict.description, duration_minutes = verdict.duration_minutes,
        slot_minutes = verdict.slot_minutes, buffer_before_minutes = verdict.buffer_before_minutes,
        buffer_after_minutes = verdict.buffer_after_minutes, notice_minutes = verdict.notice_minutes,
        horizon_days = verdict.horizon_days, daily_limit = verdict.daily_limit, schedule_id = verdict.schedule_id,
        assignment = verdict.assignment, is_active = verdict.is_active,
        version = event_types.version + differs::integer,
        updated_at = CASE WHEN differs THEN now() ELSE event_types.updated_at END
    FROM verdict
    WHERE event_types.id = verdict.id AND refusal IS NULL
    RETURNING event_types.id, event_types.uid, event_types.owner_id, event_types.organization_id, event_types.title,
              event_types.description, event_types.duration_minutes, event_types.slot_minutes,
              event_types.buffer_before_minutes, event_types.buffer_after_minutes, event_types.notice_minutes,
              event_types.horizon_days, event_types.daily_limit, event_types.schedule_id, event_types.assignment,
              event_types.is_active, event_types.version, event_types.created_at, event_types.updated_at
), removed AS (
    DELETE FROM event_type_hosts USING verdict
    WHERE event_type_id = verdict.id AND refusal IS NULL AND user_id <> ALL(hosts)
), added AS (
    INSERT INTO event_type_hosts (event_type_id, user_id)
    SELECT id, user_id FROM verdict, unnest(hosts) AS user_id WHERE refusal IS NULL
    ON CONFLICT ON CONSTRAINT event_type_hosts_pkey DO NOTHING
)
SELECT id, uid, owner_id, organization_id, title, description, duration_minutes, slot_minutes, buffer_before_minutes,
       buffer_after_minutes, notice_minutes, horizon_days, daily_limit, schedule_id, hosts, assignment, is_active,
       version, created_at, updated_at, refusal
FROM (SELECT hosts, refusal FROM verdict) AS verdict LEFT JOIN changed ON true;

-- name: delete_event_type(uid, user_id, versions)^
-- Delete an event type. No row: not there. A refusal says why it was not deleted. Its holds and bookings change with it,
-- so their diaries are locked, after the event type.
SELECT FROM event_types WHERE uid = :uid FOR UPDATE;
SELECT lock_diaries(ARRAY(
    SELECT user_id FROM bookings WHERE event_type_uid = :uid AND status = 'confirmed'
    UNION ALL
    SELECT unnest(holds.hosts) FROM holds JOIN event_types ON event_types.id = event_type_id
    WHERE event_types.uid = :uid));
WITH verdict AS MATERIALIZED (
    SELECT id,
           CASE WHEN NOT manages_event_type(:user_id, owner_id, organization_id) THEN 'forbidden'
                WHEN NOT version = ANY(coalesce(:versions::bigint[], ARRAY[version])) THEN 'precondition_failed'
           END AS refusal
    FROM event_types
    WHERE uid = :uid
), deleted AS (
    DELETE FROM event_types USING verdict WHERE event_types.id = verdict.id AND refusal IS NULL
)
SELECT id, refusal FROM verdict;
