-- The horizon of a mail counts from its first offer: what waits in a long line is not late for the provider.
-- A column without a default is added in an instant; no row is read or rewritten.

ALTER TABLE emails ADD COLUMN first_offered_at timestamptz;
