-- A changed address or password is told to the address that the account had: its owner may not be who changed it.

ALTER TABLE emails
    DROP CONSTRAINT emails_kind_check,
    ADD CONSTRAINT emails_kind_check CHECK (kind IN (
        'WELCOME', 'BOOKING_CONFIRMATION', 'BOOKING_CANCELLED', 'ORG_INVITE', 'EMAIL_CHANGED', 'PASSWORD_CHANGED'));
