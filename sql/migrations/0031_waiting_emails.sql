-- Account mail that waits already goes first, too. Only rows that wait are read, through their index, and few are changed.

UPDATE emails SET class = 1
WHERE status = 'pending' AND kind IN ('WELCOME', 'PASSWORD_CHANGED', 'EMAIL_CHANGED');
