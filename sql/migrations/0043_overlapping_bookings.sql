-- What an entry overlaps, written once for all statements that write entries. Both functions are inlined into the
-- statements that call them, and so the plans are those of the text: that takes STABLE, one SELECT, and no SET.

-- What overlaps a time begins at most a day before it, but for the few entries that last longer: they have an index of
-- their own. In the way of an exclusive entry is also what claims time around it.
CREATE FUNCTION overlapping_bookings(
    owner_id bigint, starts timestamptz, ends timestamptz, except_id bigint, is_exclusive boolean
) RETURNS TABLE (booking_id bigint) LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT id FROM bookings
    WHERE user_id = owner_id AND id IS DISTINCT FROM except_id AND status = 'confirmed'
      AND start_time < ends AND end_time > starts AND start_time > starts - interval '1 day'
    UNION ALL
    SELECT id FROM bookings
    WHERE user_id = owner_id AND id IS DISTINCT FROM except_id AND status = 'confirmed'
      AND end_time - start_time > interval '1 day' AND end_time > starts AND start_time <= starts - interval '1 day'
    UNION ALL
    SELECT claims.booking_id FROM claims
    WHERE is_exclusive AND user_id = owner_id AND claims.booking_id IS DISTINCT FROM except_id
      AND claims.booking_id IS NOT NULL AND during && tstzrange(starts, greatest(starts, ends));
END;

-- The ids that an entry conflicts with, and whether a hold, which is no booking, keeps an exclusive one out.
CREATE FUNCTION conflicts_in_diary(
    owner_id bigint, starts timestamptz, ends timestamptz, except_id bigint, is_exclusive boolean
) RETURNS TABLE (conflicts bigint[], is_held boolean) LANGUAGE sql STABLE ROWS 1
BEGIN ATOMIC
    SELECT coalesce(array_agg(DISTINCT booking_id ORDER BY booking_id), '{}'),
           is_exclusive AND EXISTS (
               SELECT FROM claims JOIN holds ON holds.id = hold_id
               WHERE user_id = owner_id AND expires_at > now()
                 AND during && tstzrange(starts, greatest(starts, ends)))
    FROM overlapping_bookings(owner_id, starts, ends, except_id, is_exclusive);
END;
