-- no-transaction
CREATE INDEX CONCURRENTLY emails_class_next_attempt_at_id_idx ON emails (class, next_attempt_at, id) WHERE status = 'pending';
