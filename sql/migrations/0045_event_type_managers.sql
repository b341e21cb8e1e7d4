-- Who manages an event type: its owner, or the admins of the organization that it belongs to. This function is called and
-- not inlined, for it looks into a table; no statement asks it more than once.

CREATE FUNCTION manages_event_type(caller_id bigint, owner_id bigint, organization bigint) RETURNS boolean
LANGUAGE sql STABLE
RETURN CASE WHEN organization IS NULL THEN owner_id = caller_id
            ELSE EXISTS (SELECT FROM organization_members
                         WHERE organization_id = organization AND user_id = caller_id AND role = 'admin') END;
