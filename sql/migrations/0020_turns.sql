-- Of the hosts of a link the one who was booked longest ago is next: found without reading all that was ever booked.

CREATE INDEX bookings_event_type_uid_user_id_created_at_idx ON bookings (event_type_uid, user_id, created_at)
    WHERE event_type_uid IS NOT NULL;
