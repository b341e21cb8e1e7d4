-- While processes of the release before run, guests' bookings are written in both forms. That release knows the columns
-- uid, hosts, guest, assignment, manage_token_hash, sequence and cancel_reason of bookings (and its successor until here
-- guest_address and hold_hash); statements from now on know appointments alone. These triggers carry what one of them
-- writes to the other. With the next release the triggers, their functions and those columns are dropped.

-- Makes the appointment of an entry that has none yet, or finds what an entry of another host has made.
CREATE FUNCTION appointment_of_entry(entry bookings) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    made bigint;
BEGIN
    INSERT INTO appointments (uid, event_type_id, title, start_time, end_time, buffer_before_minutes, buffer_after_minutes,
                              status, version, sequence, assignment, cancel_reason, guest_address, hold_hash,
                              created_at, updated_at)
    VALUES (entry.uid, (SELECT id FROM event_types WHERE uid = entry.event_type_uid), entry.title, entry.start_time,
            entry.end_time, entry.buffer_before_minutes, entry.buffer_after_minutes, entry.status, entry.version,
            entry.sequence, entry.assignment, entry.cancel_reason, entry.guest_address, entry.hold_hash,
            entry.created_at, entry.updated_at)
    ON CONFLICT ON CONSTRAINT appointments_uid_key DO NOTHING
    RETURNING id INTO made;
    IF made IS NULL THEN
        RETURN (SELECT id FROM appointments WHERE uid = entry.uid);
    END IF;
    INSERT INTO appointment_guests (appointment_id, name, email, time_zone, notes, manage_token_hash)
    SELECT made, entry.guest ->> 'name', entry.guest ->> 'email', entry.guest ->> 'time_zone', entry.guest ->> 'notes',
           coalesce(entry.manage_token_hash, '')
    WHERE entry.guest IS NOT NULL;
    RETURN made;
END $$;

CREATE FUNCTION bridge_inserted_booking() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.appointment_id IS NULL THEN
        NEW.appointment_id := appointment_of_entry(NEW);
    ELSE
        SELECT appointments.uid, assignment, sequence, manage_token_hash,
               CASE WHEN name IS NOT NULL
                    THEN jsonb_build_object('name', name, 'email', email, 'time_zone', time_zone, 'notes', notes) END,
               ARRAY(SELECT jsonb_array_elements_text(assignment -> 'chosen')::bigint)
        INTO NEW.uid, NEW.assignment, NEW.sequence, NEW.manage_token_hash, NEW.guest, NEW.hosts
        FROM appointments LEFT JOIN appointment_guests ON appointment_id = appointments.id
        WHERE appointments.id = NEW.appointment_id
        ORDER BY appointment_guests.id
        LIMIT 1;
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION bridge_updated_booking() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.appointment_id IS NULL THEN
        NEW.appointment_id := appointment_of_entry(NEW);
    END IF;
    IF NEW.sequence > OLD.sequence THEN
        -- The release before has changed the entries of all hosts: the first of them changes the appointment.
        UPDATE appointments
        SET title = NEW.title, start_time = NEW.start_time, end_time = NEW.end_time, status = NEW.status,
            version = NEW.version, sequence = NEW.sequence, cancel_reason = NEW.cancel_reason, updated_at = NEW.updated_at
        WHERE id = NEW.appointment_id AND sequence < NEW.sequence;
    ELSE
        SELECT sequence, cancel_reason INTO NEW.sequence, NEW.cancel_reason
        FROM appointments WHERE id = NEW.appointment_id;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER bookings_bridge_on_insert BEFORE INSERT ON bookings
    FOR EACH ROW WHEN (NEW.uid IS NOT NULL OR NEW.appointment_id IS NOT NULL) EXECUTE FUNCTION bridge_inserted_booking();
CREATE TRIGGER bookings_bridge_on_update BEFORE UPDATE ON bookings
    FOR EACH ROW WHEN (NEW.uid IS NOT NULL) EXECUTE FUNCTION bridge_updated_booking();
