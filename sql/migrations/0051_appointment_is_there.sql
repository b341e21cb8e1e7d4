-- Reads the rows while others go on.

ALTER TABLE bookings VALIDATE CONSTRAINT bookings_appointment_id_fkey;
