-- no-transaction
-- A guest books a start of an event type once, with however many hosts: the row of the first one stands for all.

CREATE UNIQUE INDEX CONCURRENTLY bookings_guest_address_event_type_uid_start_time_idx
    ON bookings (guest_address, event_type_uid, start_time) WHERE status = 'confirmed' AND user_id = hosts[1];
