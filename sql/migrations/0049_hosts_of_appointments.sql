-- no-transaction
-- Who are the hosts of an appointment? And nobody is a host twice. It leaves out what no guest has booked: so an entry may
-- get its appointment while a mail that refers to it is written.
CREATE UNIQUE INDEX CONCURRENTLY bookings_appointment_id_user_id_idx ON bookings (appointment_id, user_id)
    WHERE appointment_id IS NOT NULL;
