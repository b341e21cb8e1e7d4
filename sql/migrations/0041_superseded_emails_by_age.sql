-- no-transaction
CREATE INDEX CONCURRENTLY emails_superseded_idx ON emails (settled_at) WHERE status = 'superseded';
