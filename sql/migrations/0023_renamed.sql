-- Who has a booking with a guest is told when it gets another title, and that it is no move. What may be written is
-- more than before, so nothing needs to be read under the lock; the next migration reads it without one.

ALTER TABLE emails
    DROP CONSTRAINT emails_kind_check,
    ADD CONSTRAINT emails_kind_check CHECK (
        kind IN ('WELCOME', 'BOOKING_CONFIRMATION', 'BOOKING_CANCELLED', 'ORG_INVITE', 'EMAIL_CHANGED', 'PASSWORD_CHANGED',
                 'APPOINTMENT_CONFIRMED', 'APPOINTMENT_MOVED', 'APPOINTMENT_RENAMED', 'APPOINTMENT_CANCELLED')) NOT VALID;

ALTER TABLE notifications
    DROP CONSTRAINT notifications_type_check,
    ADD CONSTRAINT notifications_type_check
        CHECK (type IN ('BOOKING_CONFIRMED', 'BOOKING_MOVED', 'BOOKING_RENAMED', 'BOOKING_CANCELLED', 'ORG_INVITE'))
        NOT VALID;
