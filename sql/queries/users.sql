-- name: insert_user(name, email, password_hash, password_scheme, origin, request_id)^
-- Register a person and promise the welcome; issued_at is for the token, in seconds since the epoch.
WITH person AS (
    INSERT INTO users (name, email, password_hash, password_scheme)
    VALUES (:name, :email, :password_hash, :password_scheme)
    RETURNING id, name, email, role
), welcome AS (
    INSERT INTO emails (kind, recipient, data, origin, request_id)
    SELECT 'WELCOME', email, jsonb_build_object('name', name), hashtextextended(:origin, 0), :request_id FROM person
    RETURNING id
)
SELECT person.id, person.name, person.email, person.role,
       floor(extract(epoch FROM now()))::bigint AS issued_at, welcome.id AS email_id
FROM person, welcome;

-- name: select_credentials(email)^
-- Find whoever signs in with this address.
SELECT id, name, email, role, password_hash, password_scheme,
       greatest(floor(extract(epoch FROM now())), extract(epoch FROM tokens_valid_from))::bigint AS issued_at
FROM users
WHERE email = :email;

-- name: select_password(user_id)^
-- Read what a password is compared with.
SELECT password_hash, password_scheme FROM users WHERE id = :user_id;

-- name: select_caller(user_id)^
-- Find the person behind a token.
SELECT id, name, email, role, created_at
FROM users
WHERE id = :user_id;

-- name: update_profile(user_id, name, email, request_id)^
-- Change the name, the address or both; a changed address is told to the old one. What changes nothing leaves all as
-- it is.
WITH locked AS MATERIALIZED (
    -- In one order, and with whoever has the wanted address: two who swap theirs would wait for each other.
    SELECT id, email FROM users WHERE id = :user_id OR email = :email ORDER BY id FOR NO KEY UPDATE
), before AS (
    SELECT id, email FROM locked WHERE id = :user_id
), person AS (
    UPDATE users
    SET name = coalesce(:name, name), email = coalesce(:email, users.email),
        updated_at = CASE WHEN name = coalesce(:name, name) AND users.email = coalesce(:email, users.email)
                          THEN updated_at ELSE now() END
    FROM before
    WHERE users.id = before.id
    RETURNING users.id, name, users.email, role, created_at
), told AS (
    INSERT INTO emails (kind, recipient, data, request_id)
    SELECT 'EMAIL_CHANGED', before.email,
           jsonb_build_object('name', person.name, 'new_email', person.email), :request_id
    FROM before JOIN person ON person.id = before.id AND person.email <> before.email
    RETURNING id
)
SELECT person.id, person.name, person.email, person.role, person.created_at, told.id AS email_id
FROM person LEFT JOIN told ON true;

-- name: update_password(user_id, old_hash, new_hash, new_scheme, request_id)^
-- Replace the password that was just verified, kill every earlier token and tell the owner by e-mail. No row:
-- somebody else was faster.
WITH person AS (
    UPDATE users
    SET password_hash = :new_hash,
        password_scheme = :new_scheme,
        tokens_valid_from = greatest(date_trunc('second', now()), tokens_valid_from) + interval '1 second',
        updated_at = now()
    WHERE id = :user_id AND password_hash = :old_hash
    RETURNING name, email, extract(epoch FROM tokens_valid_from)::bigint AS issued_at
), told AS (
    INSERT INTO emails (kind, recipient, data, request_id)
    SELECT 'PASSWORD_CHANGED', email, jsonb_build_object('name', name), :request_id FROM person
    RETURNING id
)
SELECT issued_at, told.id AS email_id FROM person, told;

-- name: select_users(after_created_at, after_id, limit)
-- List everybody, newest first.
SELECT id, name, email, role, created_at
FROM users
WHERE (created_at, id)
    < (coalesce(:after_created_at::timestamptz, 'infinity'), coalesce(:after_id::bigint, 9223372036854775807))
ORDER BY created_at DESC, id DESC
LIMIT :limit;

-- name: insert_admin(name, email, password_hash, password_scheme)^
-- Make an administrator of a new person; somebody who is there already is left as they are.
INSERT INTO users (name, email, password_hash, password_scheme, role)
VALUES (:name, :email, :password_hash, :password_scheme, 'admin')
ON CONFLICT ON CONSTRAINT users_email_key DO NOTHING
RETURNING id, email;

-- name: promote_user(email)^
-- Make an administrator of a person who is there.
UPDATE users SET role = 'admin', updated_at = CASE WHEN role = 'admin' THEN updated_at ELSE now() END
WHERE email = :email
RETURNING id, email;
