-- no-transaction
-- Appointments for what guests booked before. An update that changes nothing has the bridge make them, a thousand entries at
-- a time, each thousand committed: nobody waits longer than for one of them. Where somebody has locked one of the entries
-- they are let go at once and tried again, and so it is never requests that a deadlock ends. A run that is cut off is
-- repeated, and finds done what was done.
DO $$
DECLARE
    next_id bigint := (SELECT min(id) FROM bookings);
    last_id bigint := (SELECT max(id) FROM bookings);
    step CONSTANT bigint := 1000;
    refused integer := 0;
BEGIN
    WHILE next_id <= last_id LOOP
        BEGIN
            PERFORM set_config('lock_timeout', '100ms', true);
            UPDATE bookings SET uid = uid
            WHERE id >= next_id AND id < next_id + step AND uid IS NOT NULL AND appointment_id IS NULL;
            next_id := next_id + step;
            refused := 0;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            refused := refused + 1;
            IF refused > 1500 THEN
                RAISE;
            END IF;
        END;
        COMMIT;
        PERFORM pg_sleep(CASE WHEN refused > 0 THEN 0.1 ELSE 0 END);
    END LOOP;
END $$;
