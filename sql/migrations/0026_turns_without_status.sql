-- no-transaction
-- The index before this one has taken its place.
DROP INDEX CONCURRENTLY IF EXISTS bookings_event_type_uid_user_id_created_at_idx;
