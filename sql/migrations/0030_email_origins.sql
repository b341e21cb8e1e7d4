-- no-transaction
CREATE INDEX CONCURRENTLY emails_origin_class_idx ON emails (origin, class) WHERE status = 'pending';
