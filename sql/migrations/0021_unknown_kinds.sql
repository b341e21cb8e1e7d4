-- Workers of the release before this one take a mail of a kind that they do not know for dead. While they still run, it
-- stays pending for a worker that knows it, and its rate slot is free. Later workers do not claim such mails: this goes
-- with the next release. A trigger is added in an instant; there is no row to look at.

CREATE FUNCTION keep_unknown_kind() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE email_rate_slots SET free_at = now() WHERE slot = OLD.rate_slot;
    NEW.rate_slot := NULL;
    NEW.status := 'pending';
    NEW.settled_at := NULL;
    NEW.rejections := OLD.rejections;
    NEW.next_attempt_at := now() + interval '5 seconds';
    RETURN NEW;
END $$;

CREATE TRIGGER keep_unknown_kind BEFORE UPDATE OF status ON emails FOR EACH ROW
WHEN (NEW.status = 'dead' AND NEW.last_error LIKE 'There is no such kind of mail.%')
EXECUTE FUNCTION keep_unknown_kind();
