-- no-transaction
-- Beside the lines of the classes it would be read where a class is empty. Workers of the release before sort meanwhile.
DROP INDEX CONCURRENTLY IF EXISTS emails_next_attempt_at_idx;
