-- no-transaction
-- When was this guest last told of a cancellation?
CREATE INDEX CONCURRENTLY emails_pair_recipient_id_idx ON emails (pair, recipient, id)
    WHERE kind = 'APPOINTMENT_CANCELLED' AND status <> 'superseded';
