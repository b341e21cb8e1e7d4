-- How many slots of the rate limit are free, and for which classes of mail. Of ten uses of an open slot three are offered
-- to the lower classes first, one to each: no class starves. Inlined into the statement that claims mails.

CREATE FUNCTION free_email_slots(rate_slots integer, reserved_slots integer, most bigint)
RETURNS TABLE (reserved bigint, open bigint, for_bookings bigint, for_others bigint, for_bulk bigint)
LANGUAGE sql STABLE ROWS 1
BEGIN ATOMIC
    SELECT count(*) FILTER (WHERE turn = -1), count(*) FILTER (WHERE turn >= 0), count(*) FILTER (WHERE turn = 0),
           count(*) FILTER (WHERE turn = 1), count(*) FILTER (WHERE turn = 2)
    FROM (
        (SELECT -1 AS turn FROM email_rate_slots WHERE slot <= reserved_slots AND free_at <= now() LIMIT most)
        UNION ALL
        (SELECT mod(slot + turns, 10) FROM email_rate_slots
         WHERE slot > reserved_slots AND slot <= rate_slots AND free_at <= now()
         ORDER BY free_at
         LIMIT most)
    ) AS slots;
END;
