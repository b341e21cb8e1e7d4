-- How many mails guests may cause, counted with the work that causes them: who is refused or rolled back has used nothing.
-- A row says until when what was used counts; when that is past all of it is free again.

CREATE TABLE guest_mail_allowances (
    -- A number made of what is counted: a recipient, an event type or an IP address, and the rate.
    subject    bigint CONSTRAINT guest_mail_allowances_pkey PRIMARY KEY,
    used_until timestamptz NOT NULL
);
