-- Who does not belong to an organization cannot see it: every statement starts from the caller's membership.

-- name: insert_organization(user_id, name)^
-- Found an organization; its owner is its first admin.
WITH organization AS (
    INSERT INTO organizations (name, owner_id) VALUES (:name, :user_id)
    RETURNING id, name, owner_id, created_at, updated_at
), member AS (
    INSERT INTO organization_members (organization_id, user_id, role)
    SELECT id, owner_id, 'admin' FROM organization
)
SELECT id, name, owner_id, created_at, updated_at FROM organization;

-- name: select_owned_organizations(user_id, after_created_at, after_id, limit)
-- List the organizations a person owns, newest first.
SELECT id, name, owner_id, created_at, updated_at
FROM organizations
WHERE owner_id = :user_id
  AND (created_at, id)
    < (coalesce(:after_created_at::timestamptz, 'infinity'), coalesce(:after_id::bigint, 9223372036854775807))
ORDER BY created_at DESC, id DESC
LIMIT :limit;

-- name: select_joined_organizations(user_id, after_created_at, after_id, limit)
-- List the organizations a person belongs to, newest first.
SELECT organizations.id, name, owner_id, created_at, updated_at
FROM organizations JOIN organization_members ON organization_members.organization_id = organizations.id
WHERE organization_members.user_id = :user_id
  AND (created_at, organizations.id)
    < (coalesce(:after_created_at::timestamptz, 'infinity'), coalesce(:after_id::bigint, 9223372036854775807))
ORDER BY created_at DESC, organizations.id DESC
LIMIT :limit;

-- name: select_organization(organization_id, user_id)^
-- Find an organization for one of its members.
SELECT organizations.id, name, owner_id, created_at, updated_at
FROM organizations JOIN organization_members ON organization_members.organization_id = organizations.id
WHERE organizations.id = :organization_id AND organization_members.user_id = :user_id;

-- name: select_members(organization_id, after_joined_at, after_id, limit)
-- List who belongs to an organization, oldest first.
SELECT organization_members.id AS membership_id, organization_members.role, joined_at,
       users.id AS user_id, users.name, users.email
FROM organization_members JOIN users ON users.id = organization_members.user_id
WHERE organization_id = :organization_id
  AND (joined_at, organization_members.id)
    > (coalesce(:after_joined_at::timestamptz, '-infinity'), coalesce(:after_id::bigint, 0))
ORDER BY joined_at, organization_members.id
LIMIT :limit;

-- name: rename_organization(organization_id, user_id, name)^
-- Rename an organization for its owner; the name that it has leaves it as it is. No row: not there for the caller.
-- No id, for its owner: deleted meanwhile.
WITH target AS (
    SELECT organizations.id, owner_id = :user_id AS is_owner
    FROM organizations JOIN organization_members ON organization_members.organization_id = organizations.id
    WHERE organizations.id = :organization_id AND organization_members.user_id = :user_id
), changed AS (
    UPDATE organizations
    SET name = :name, updated_at = CASE WHEN organizations.name = :name THEN updated_at ELSE now() END
    FROM target
    WHERE organizations.id = target.id AND is_owner
    RETURNING organizations.id, organizations.name, organizations.owner_id, created_at, updated_at
)
SELECT changed.id, changed.name, changed.owner_id, created_at, updated_at, is_owner
FROM target LEFT JOIN changed ON true;

-- name: delete_organization(organization_id, user_id)^
-- Delete an organization for its owner. No row: not there for the caller. No id, for its owner: deleted meanwhile. What
-- hangs on it is locked first: its event types, and then the diaries of their hosts.
SELECT FROM organizations WHERE id = :organization_id AND owner_id = :user_id FOR UPDATE;
SELECT FROM event_types JOIN organizations ON organizations.id = organization_id
WHERE organization_id = :organization_id AND organizations.owner_id = :user_id
ORDER BY event_types.id
FOR UPDATE OF event_types;
SELECT lock_diaries(ARRAY(
    SELECT host.user_id
    FROM organizations JOIN event_types ON organization_id = organizations.id, LATERAL (
        SELECT user_id FROM bookings WHERE event_type_uid = event_types.uid AND status = 'confirmed'
        UNION ALL
        SELECT unnest(hosts) FROM holds WHERE event_type_id = event_types.id
    ) AS host (user_id)
    WHERE organizations.id = :organization_id AND organizations.owner_id = :user_id));
WITH target AS (
    SELECT organizations.id, owner_id = :user_id AS is_owner
    FROM organizations JOIN organization_members ON organization_members.organization_id = organizations.id
    WHERE organizations.id = :organization_id AND organization_members.user_id = :user_id
), deleted AS (
    DELETE FROM organizations USING target
    WHERE organizations.id = target.id AND is_owner
    RETURNING organizations.id
)
SELECT deleted.id, is_owner FROM target LEFT JOIN deleted ON true;

-- name: insert_member(organization_id, user_id, email, role, notification_title, notification_message, request_id)^
-- Add a person by address, with notification and e-mail. No row: not there for the caller. Then, in this order:
-- is_owner says whether the caller may, invited_id whether the address is known, membership_id whether it was new.
WITH organization AS (
    SELECT organizations.id, name, owner_id = :user_id AS is_owner
    FROM organizations JOIN organization_members ON organization_members.organization_id = organizations.id
    WHERE organizations.id = :organization_id AND organization_members.user_id = :user_id
), invited AS (
    SELECT users.id, users.name, users.email, organization.id AS organization_id
    FROM users, organization
    WHERE is_owner AND users.email = :email
), member AS (
    INSERT INTO organization_members (organization_id, user_id, role)
    SELECT organization_id, id, :role FROM invited
    ON CONFLICT ON CONSTRAINT organization_members_organization_id_user_id_key DO NOTHING
    RETURNING id, user_id, role, joined_at
), notification AS (
    INSERT INTO notifications (user_id, type, title, message, metadata)
    SELECT member.user_id, 'ORG_INVITE', format(:notification_title, organization.name),
           format(:notification_message, organization.name), jsonb_build_object('organization_id', organization.id)
    FROM member, organization
), email AS (
    INSERT INTO emails (kind, recipient, data, origin, request_id)
    SELECT 'ORG_INVITE', invited.email,
           jsonb_build_object('name', invited.name, 'organization_id', organization.id,
                              'organization_name', organization.name, 'role', member.role),
           organization.id, :request_id
    FROM member, invited, organization
    RETURNING id
)
SELECT organization.is_owner, invited.id AS invited_id, email.id AS email_id,
       member.id AS membership_id, member.role, member.joined_at, member.user_id, invited.name, invited.email
FROM organization LEFT JOIN invited ON true LEFT JOIN member ON true LEFT JOIN email ON true;

-- name: delete_member(organization_id, user_id, member_id)^
-- Remove a member: the owner anyone else, a member themselves. No row: the caller or the member is not there.
-- Neither refusal nor id: removed meanwhile.
WITH target AS (
    SELECT member.id,
           CASE WHEN member.user_id = owner_id AND owner_id = :user_id THEN 'owner_stays'
                WHEN :user_id NOT IN (owner_id, member.user_id) THEN 'forbidden' END AS refusal
    FROM organizations
    JOIN organization_members AS caller ON caller.organization_id = organizations.id AND caller.user_id = :user_id
    JOIN organization_members AS member ON member.organization_id = organizations.id AND member.user_id = :member_id
    WHERE organizations.id = :organization_id
), deleted AS (
    DELETE FROM organization_members USING target
    WHERE organization_members.id = target.id AND refusal IS NULL
    RETURNING organization_members.id
)
SELECT refusal, deleted.id FROM target LEFT JOIN deleted ON true;
