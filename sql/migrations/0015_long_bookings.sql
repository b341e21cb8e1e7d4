-- What overlaps a time begins at most a day before it, but for the few entries that last longer: they have an index of
-- their own, so that nobody reads a year of a diary to find the two entries that overlap an hour.

CREATE INDEX bookings_user_id_long_idx ON bookings (user_id, end_time) WHERE end_time - start_time > interval '1 day';
