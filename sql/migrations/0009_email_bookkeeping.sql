-- How the providers answered so far, by class; workers add to it about once a second. And what housekeeping needs.

CREATE TABLE email_outcomes (
    outcome text CONSTRAINT email_outcomes_pkey PRIMARY KEY,
    count   bigint NOT NULL
);

-- E-mails that were sent long ago are forgotten in the order in which they were sent.
CREATE INDEX emails_settled_at_idx ON emails (settled_at) WHERE status = 'sent';
