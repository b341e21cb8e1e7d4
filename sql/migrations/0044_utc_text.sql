-- How a sentence names an instant.

CREATE FUNCTION utc_text(moment timestamptz) RETURNS text LANGUAGE sql STABLE
RETURN to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC';
