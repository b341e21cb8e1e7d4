-- no-transaction
-- A hold that is booked is looked up by whoever repeats the request.

CREATE INDEX CONCURRENTLY bookings_hold_hash_idx ON bookings (hold_hash) WHERE hold_hash IS NOT NULL;
