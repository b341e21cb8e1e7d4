"""Migrations do not keep the running release from its tables."""

import pytest

from sql.migrator import load_migrations
from tests.sql.gentle import faults_of

# The first file that this was asked of; those before are applied wherever there is much to wait for.
FIRST = 21
MIGRATIONS = [migration for migration in load_migrations() if migration.version >= FIRST]


@pytest.mark.parametrize("migration", MIGRATIONS, ids=lambda migration: migration.file)
def test_migration_keeps_nobody_from_a_table_that_is_in_use(migration):
    assert faults_of(migration.file, migration.text) == []


GENTLE = {
    "index": "-- no-transaction\nCREATE INDEX CONCURRENTLY rooms_name_idx ON rooms (name);",
    "index of a new table": "CREATE TABLE rooms (id int);\nCREATE INDEX rooms_id_idx ON rooms (id);",
    "constraint": "ALTER TABLE rooms ADD CONSTRAINT rooms_name_check CHECK (name <> '') NOT VALID;",
    "validation": "ALTER TABLE rooms VALIDATE CONSTRAINT rooms_name_check;",
    "constraint of an index": "ALTER TABLE rooms ADD CONSTRAINT rooms_name_key UNIQUE USING INDEX rooms_name_idx;",
    "columns": "ALTER TABLE rooms ADD COLUMN seats int NOT NULL DEFAULT 0, ADD COLUMN opened_at date DEFAULT now();",
    "drop": "-- no-transaction\nDROP INDEX CONCURRENTLY IF EXISTS rooms_name_idx;",
    "reason": "-- Rooms.\n-- Without CONCURRENTLY: there are ten at most.\nCREATE INDEX a ON rooms (a);",
    "comment": "-- CREATE INDEX a ON rooms (a);\nSELECT ';CREATE INDEX a ON rooms (a);';",
    "body": "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN ALTER TABLE rooms ADD CHECK (true); END $$;",
}
ROUGH = {
    "CREATE UNIQUE INDEX rooms_name_idx ON rooms (name);": "write CREATE INDEX CONCURRENTLY",
    "CREATE INDEX CONCURRENTLY rooms_name_idx ON rooms (name);": "begin the file with -- no-transaction",
    "-- no-transaction\nCREATE INDEX CONCURRENTLY a ON rooms (a);\nSELECT 1;": "one statement",
    "-- no-transaction\nDROP INDEX CONCURRENTLY rooms_name_idx;": "IF EXISTS",
    "ALTER TABLE rooms ADD CONSTRAINT rooms_name_check CHECK (name IN ('a', 'b'));": "NOT VALID",
    "ALTER TABLE rooms\n  DROP CONSTRAINT a,\n  ADD CONSTRAINT a CHECK (b IN (1, 2));": "VALIDATE CONSTRAINT",
    "ALTER TABLE ONLY rooms ADD FOREIGN KEY (user_id) REFERENCES users;": "NOT VALID",
    "ALTER TABLE rooms ADD CONSTRAINT rooms_name_key UNIQUE (name);": "USING INDEX",
    "ALTER TABLE rooms ADD CONSTRAINT a CHECK (b > 0) NOT VALID; ALTER TABLE rooms VALIDATE CONSTRAINT a;": "following",
    "ALTER TABLE rooms ADD COLUMN owner_id bigint REFERENCES users;": "add the column alone",
    "ALTER TABLE rooms ADD COLUMN key uuid NOT NULL DEFAULT gen_random_uuid();": "without that default",
    "ALTER TABLE rooms ALTER COLUMN id TYPE bigint;": "add a column",
    "ALTER TABLE rooms ALTER name SET NOT NULL;": "IS NOT NULL",
    "-- Without NOT VALID: rooms are few.\nCREATE INDEX rooms_name_idx ON rooms (name);": "Without CONCURRENTLY",
    "-- Rooms.\n\n-- Without CONCURRENTLY: rooms are few.\nCREATE INDEX a ON rooms (a);": "in the first comment",
}


@pytest.mark.parametrize("text", GENTLE.values(), ids=GENTLE)
def test_what_keeps_nobody_waiting_passes(text):
    assert faults_of("0001_rooms.sql", text) == []


@pytest.mark.parametrize(("text", "advice"), ROUGH.items())
def test_what_keeps_others_waiting_is_named_with_what_to_write(text, advice):
    (fault,) = faults_of("0001_rooms.sql", text)
    assert fault.startswith("0001_rooms.sql: ")
    assert advice in fault
