"""The migrate command beside those who use the database: what it waits for, what it repairs, and what it tells."""

import re

from tests.databases import ask, connected
from tests.scripts.migrating import finish, migrate, refusal, start, tables, versions, write

# What waits for others


def test_long_transaction_in_the_way_holds_up_the_migration_and_nobody_else(url, checkout):
    migrate(url, root=checkout)
    write(checkout, "0003_pages", "ALTER TABLE entries ADD COLUMN pages int;")
    with connected(url) as reader, connected(url) as other:
        ask(reader, "BEGIN")
        ask(reader, "SELECT * FROM entries")
        process = start(url, root=checkout)
        lines = [process.stdout.readline() for _ in range(3)]
        assert lines[0] == "[1/1] 0003 pages\n"
        assert all(line.startswith("0003_pages.sql waits for a lock; next attempt in ") for line in lines[1:])
        # Whoever comes behind the migration waits no longer than a request does.
        for _ in range(3):
            ask(other, "SET lock_timeout = '2s'; SELECT * FROM entries")
        ask(reader, "COMMIT")
        code, output, errors = finish(process)
    assert (code, output.splitlines()[-1], errors) == (0, "The schema is at version 3.", "")


def test_transaction_that_does_not_end_is_waited_for_so_long_and_leaves_nothing(url, checkout):
    migrate(url, root=checkout)
    write(checkout, "0003_pages", "CREATE TABLE half (id int); ALTER TABLE entries ADD COLUMN pages int;")
    with connected(url) as reader:
        ask(reader, "BEGIN")
        ask(reader, "SELECT * FROM entries")
        code, _, errors = migrate(url, "--lock-wait", "0.1", root=checkout)
    assert (code, errors) == (1, "migrate: 0003_pages.sql failed: canceling statement due to lock timeout\n")
    assert versions(url) == [1, 2]
    assert tables(url) == ["entries", "schema_migrations"]


CONCURRENT = (
    "-- no-transaction: it would lock the table.\nCREATE UNIQUE INDEX CONCURRENTLY entries_id_idx ON entries (id);\n"
)


def test_index_that_failed_is_built_anew_at_the_next_run(url, checkout):
    migrate(url, root=checkout)
    write(checkout, "0003_index", CONCURRENT)
    with connected(url) as connection:
        ask(connection, "INSERT INTO entries VALUES (1), (1)")
        code, _, errors = migrate(url, root=checkout)
        assert (code, errors) == (1, 'migrate: 0003_index.sql failed: could not create unique index "entries_id_idx"\n')
        assert is_valid(connection, "entries_id_idx") == [{"indisvalid": False}]
        ask(connection, "DELETE FROM entries")
        assert migrate(url, root=checkout)[0] == 0
        assert is_valid(connection, "entries_id_idx") == [{"indisvalid": True}]
    assert versions(url) == [1, 2, 3]


def test_index_of_a_run_that_was_cut_off_before_it_was_recorded_is_no_obstacle(url, checkout):
    migrate(url, root=checkout)
    write(checkout, "0003_index", CONCURRENT)
    with connected(url) as connection:
        ask(connection, "CREATE INDEX entries_id_idx ON entries (id)")
    assert migrate(url, root=checkout)[0] == 0


def is_valid(connection, index):
    return ask(connection, "SELECT indisvalid FROM pg_index WHERE indexrelid = %s::regclass", index)


# What it tells


def test_status_lists_what_is_applied_and_what_is_pending(url, checkout):
    assert migrate(url, "status", root=checkout) == (
        3,
        "0001 entries  pending\n0002 more     pending\n0 applied, 2 pending.\n",
        "",
    )
    assert tables(url) == []
    migrate(url, root=checkout)
    write(checkout, "0003_later", "SELECT 1;")
    code, output, errors = migrate(url, "status", root=checkout)
    assert (code, errors) == (3, "")
    first, second, third, total = output.splitlines()
    time = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
    assert re.fullmatch(f"0001 entries  applied {time}", first)
    assert re.fullmatch(f"0002 more     applied {time}", second)
    assert (third, total) == ("0003 later    pending", "2 applied, 1 pending.")
    migrate(url, root=checkout)
    assert migrate(url, "status", root=checkout)[0] == 0


def test_status_of_a_changed_file_is_one_line(url, checkout):
    migrate(url, root=checkout)
    write(checkout, "0001_entries", "CREATE TABLE entries (id bigint);")
    code, output, errors = migrate(url, "status", root=checkout)
    assert (code, output, len(errors.splitlines())) == (1, "", 1)


def test_help_names_commands_and_exit_codes(checkout):
    code, output, _ = migrate("", "--help", root=checkout)
    assert code == 0
    assert "{apply,status}" in output
    assert "3  status: migrations are pending" in output


def test_server_that_is_too_old_is_refused_in_one_line(url, checkout):
    migrator = checkout / "sql" / "migrator.py"
    text = migrator.read_text()
    assert "OLDEST_POSTGRESQL = 15\n" in text
    migrator.write_text(text.replace("OLDEST_POSTGRESQL = 15\n", "OLDEST_POSTGRESQL = 99\n"))
    line = refusal(url, checkout)
    assert line.endswith("is too old; upgrade the server to PostgreSQL 99 or newer")
    assert tables(url) == []
