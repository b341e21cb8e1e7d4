-- People who can sign in.

CREATE TABLE users (
    id                bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT users_pkey PRIMARY KEY,
    name              text NOT NULL CONSTRAINT users_name_check CHECK (char_length(name) BETWEEN 1 AND 100),
    -- Stored normalised and in lower case, so that plain uniqueness is case-insensitive.
    email             text NOT NULL CONSTRAINT users_email_key UNIQUE
                      CONSTRAINT users_email_check CHECK (char_length(email) BETWEEN 3 AND 254 AND email = lower(email)),
    password_hash     text NOT NULL,
    -- bcrypt reads 72 bytes at most; a longer password is hashed before, and the row remembers that it was.
    password_scheme   text NOT NULL DEFAULT 'bcrypt'
                      CONSTRAINT users_password_scheme_check CHECK (password_scheme IN ('bcrypt', 'sha256+bcrypt')),
    role              text NOT NULL DEFAULT 'member'
                      CONSTRAINT users_role_check CHECK (role IN ('member', 'admin')),
    -- A token issued (iat) before this instant is dead. Whole seconds, because iat is whole seconds.
    tokens_valid_from timestamptz NOT NULL DEFAULT '-infinity',
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now()
);

-- The list of all users, newest first, is paged by this key.
CREATE INDEX users_created_at_id_idx ON users (created_at DESC, id DESC);

-- Single tokens that were given up (LOGOUT_REVOKES); a row is needed only until its token expires.
CREATE TABLE revoked_tokens (
    jti        text CONSTRAINT revoked_tokens_pkey PRIMARY KEY,
    user_id    bigint NOT NULL CONSTRAINT revoked_tokens_user_id_fkey REFERENCES users ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
);

CREATE INDEX revoked_tokens_expires_at_idx ON revoked_tokens (expires_at);
CREATE INDEX revoked_tokens_user_id_idx ON revoked_tokens (user_id);
