-- Every advisory lock that lasts as long as a transaction has a function, and statements write down no number. A lock has
-- a space, which is a number of its own, and a key in it. docs/database.md says who takes which lock, and in which order.

CREATE FUNCTION diary_space() RETURNS integer LANGUAGE sql IMMUTABLE RETURN 1;
CREATE FUNCTION schedule_space() RETURNS integer LANGUAGE sql IMMUTABLE RETURN 2;
CREATE FUNCTION hold_address_space() RETURNS integer LANGUAGE sql IMMUTABLE RETURN 4;
-- Idempotency keys are hashes in the one space of large numbers; these stand beside them. 7316420001 is the migrator's.
CREATE FUNCTION analytics_lock() RETURNS bigint LANGUAGE sql IMMUTABLE RETURN 7316420002;

-- Two people may have one key: then one of them waits now and then for the other.
CREATE FUNCTION lock_key(id bigint) RETURNS integer LANGUAGE sql IMMUTABLE RETURN mod(id, 2147483647)::integer;

CREATE FUNCTION lock_diary(user_id bigint) RETURNS void LANGUAGE sql VOLATILE
RETURN pg_advisory_xact_lock(diary_space(), lock_key(user_id));

CREATE FUNCTION share_diary(user_id bigint) RETURNS void LANGUAGE sql VOLATILE
RETURN pg_advisory_xact_lock_shared(diary_space(), lock_key(user_id));

-- All in the order of their keys: whoever locks several diaries does it here, and so nobody waits in a circle.
CREATE FUNCTION lock_diaries(user_ids bigint[]) RETURNS void LANGUAGE sql VOLATILE
BEGIN ATOMIC
    SELECT pg_advisory_xact_lock(diary_space(), key)
    FROM (SELECT DISTINCT lock_key(host.user_id) AS key FROM unnest(user_ids) AS host (user_id) ORDER BY key) AS diary;
END;

CREATE FUNCTION lock_schedules(user_id bigint) RETURNS void LANGUAGE sql VOLATILE
RETURN pg_advisory_xact_lock(schedule_space(), lock_key(user_id));

CREATE FUNCTION lock_holds_of(address text) RETURNS void LANGUAGE sql VOLATILE
RETURN pg_advisory_xact_lock(hold_address_space(), hashtext(address));

CREATE FUNCTION try_lock_idempotency_key(user_id bigint, key text) RETURNS boolean LANGUAGE sql VOLATILE
RETURN pg_try_advisory_xact_lock(hashtextextended(key, user_id));

CREATE FUNCTION try_lock_guest_idempotency_key(address text, path text, key text) RETURNS boolean LANGUAGE sql VOLATILE
RETURN pg_try_advisory_xact_lock(hashtextextended(concat_ws(' ', address, path, key), 0));

CREATE FUNCTION try_lock_analytics() RETURNS boolean LANGUAGE sql VOLATILE
RETURN pg_try_advisory_xact_lock(analytics_lock());
