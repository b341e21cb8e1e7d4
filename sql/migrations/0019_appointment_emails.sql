-- What guest and host are told, with an invitation that their calendars understand (RFC 5546).

ALTER TABLE emails
    ADD COLUMN calendar text,
    ADD COLUMN calendar_method text
        CONSTRAINT emails_calendar_method_check CHECK (calendar_method IN ('REQUEST', 'CANCEL')),
    DROP CONSTRAINT emails_kind_check,
    ADD CONSTRAINT emails_kind_check CHECK (
        kind IN ('WELCOME', 'BOOKING_CONFIRMATION', 'BOOKING_CANCELLED', 'ORG_INVITE', 'EMAIL_CHANGED', 'PASSWORD_CHANGED',
                 'APPOINTMENT_CONFIRMED', 'APPOINTMENT_MOVED', 'APPOINTMENT_CANCELLED'));

ALTER TABLE notifications
    DROP CONSTRAINT notifications_type_check,
    ADD CONSTRAINT notifications_type_check
        CHECK (type IN ('BOOKING_CONFIRMED', 'BOOKING_MOVED', 'BOOKING_CANCELLED', 'ORG_INVITE'));
