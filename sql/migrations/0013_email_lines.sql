-- Workers take due mails from the front of the line, many at once. Nobody asks for emails.ring_at any more, so that a
-- claim changes no indexed column; the column goes with a later release, because the one before still writes it.

DROP INDEX emails_ring_at_idx;

-- A mail looks for an earlier one that is pending: however many of the same booking were sent, they are not read.
CREATE INDEX emails_booking_id_status_id_idx ON emails (booking_id, status, id) WHERE booking_id IS NOT NULL;
DROP INDEX emails_booking_id_id_idx;
