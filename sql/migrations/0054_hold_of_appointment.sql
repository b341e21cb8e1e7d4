-- no-transaction
-- appointments_hold_hash_idx has taken its place.
DROP INDEX CONCURRENTLY IF EXISTS bookings_hold_hash_idx;
