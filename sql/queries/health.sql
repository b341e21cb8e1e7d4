-- name: select_schema_version()$
-- Tell which migration was applied last; fails where none ever was.
SELECT max(version) FROM schema_migrations;
