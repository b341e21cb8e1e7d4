-- no-transaction
-- appointments_guest_address_event_type_id_start_time_idx has taken its place.
DROP INDEX CONCURRENTLY IF EXISTS bookings_guest_address_event_type_uid_start_time_idx;
