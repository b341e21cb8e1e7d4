-- no-transaction
-- When a host was last booked through a link is read in this index alone: with a status that stood outside of it,
-- PostgreSQL 15 read every booking of the host.
CREATE INDEX CONCURRENTLY bookings_event_type_uid_user_id_created_at_status_idx
    ON bookings (event_type_uid, user_id, created_at) INCLUDE (status) WHERE event_type_uid IS NOT NULL;
