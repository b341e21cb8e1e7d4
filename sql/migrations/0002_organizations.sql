-- Organizations and who belongs to them.

CREATE TABLE organizations (
    id         bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT organizations_pkey PRIMARY KEY,
    name       text NOT NULL CONSTRAINT organizations_name_check CHECK (char_length(name) BETWEEN 1 AND 100),
    owner_id   bigint NOT NULL CONSTRAINT organizations_owner_id_fkey REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX organizations_owner_id_created_at_id_idx ON organizations (owner_id, created_at DESC, id DESC);

CREATE TABLE organization_members (
    id              bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT organization_members_pkey PRIMARY KEY,
    organization_id bigint NOT NULL
                    CONSTRAINT organization_members_organization_id_fkey REFERENCES organizations ON DELETE CASCADE,
    user_id         bigint NOT NULL
                    CONSTRAINT organization_members_user_id_fkey REFERENCES users ON DELETE CASCADE,
    role            text NOT NULL DEFAULT 'member'
                    CONSTRAINT organization_members_role_check CHECK (role IN ('member', 'admin')),
    joined_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT organization_members_organization_id_user_id_key UNIQUE (organization_id, user_id)
);

CREATE INDEX organization_members_user_id_idx ON organization_members (user_id);
