"""The migrate command: once each, whoever runs it and however many at once; one line when it cannot."""

from contextlib import ExitStack

import pytest

from sql.migrator import latest_version
from tests.databases import ask, connected
from tests.scripts.migrating import finish, migrate, refusal, start, tables, versions, write
from tests.waiting import eventually


def test_empty_database_becomes_the_latest(url):
    code, output, errors = migrate(url)
    assert (code, errors) == (0, "")
    assert len(output.splitlines()) == latest_version() + 1
    assert output.splitlines()[0] == f"[1/{latest_version()}] 0001 users"
    assert output.splitlines()[-1] == f"The schema is at version {latest_version()}."
    assert versions(url) == list(range(1, latest_version() + 1))


def test_second_run_has_nothing_to_do(url, checkout):
    migrate(url, root=checkout)
    assert migrate(url, root=checkout) == (0, "The schema is at version 2.\n", "")


def test_eight_at_once_apply_each_migration_once(url):
    results = [finish(process) for process in [start(url) for _ in range(8)]]
    assert [(code, errors) for code, _, errors in results] == [(0, "")] * 8
    applied = [line for _, output, _ in results for line in output.splitlines() if line.startswith("[")]
    assert len(applied) == latest_version()
    assert versions(url) == list(range(1, latest_version() + 1))


def test_changed_file_is_named_in_one_line(url, checkout):
    migrate(url, root=checkout)
    write(checkout, "0001_entries", "CREATE TABLE entries (id bigint);")
    assert "0001_entries.sql was changed after it was applied" in refusal(url, checkout)


def test_newer_database_is_named_in_one_line(url, checkout):
    migrate(url, root=checkout)
    with connected(url) as connection:
        ask(connection, "INSERT INTO schema_migrations (version, name, checksum) VALUES (3, 'newer', '')")
    assert "the database has migration 0003, which this code does not know" in refusal(url, checkout)


def test_gap_in_the_numbers_is_named_in_one_line(url, checkout):
    write(checkout, "0004_gap", "SELECT 1;")
    assert "0004_gap.sql should be named 0003_<what_it_does>.sql" in refusal(url, checkout)
    assert tables(url) == []


def test_migration_that_fails_leaves_the_earlier_ones_and_nothing_of_itself(url, checkout):
    write(checkout, "0003_bad", "CREATE TABLE half (id int); ALTER TABLE nowhere ADD COLUMN id int;")
    write(checkout, "0004_never", "CREATE TABLE never (id int);")
    code, output, errors = migrate(url, root=checkout)
    assert code == 1
    assert errors == 'migrate: 0003_bad.sql failed: relation "nowhere" does not exist\n'
    assert output.splitlines()[-1] == "[3/4] 0003 bad"
    assert versions(url) == [1, 2]
    assert tables(url) == ["entries", "schema_migrations"]


def test_dry_run_says_what_it_would_do_and_changes_nothing(url, checkout):
    assert migrate(url, "--dry-run", root=checkout) == (0, "would apply 0001 entries\nwould apply 0002 more\n", "")
    assert tables(url) == []
    migrate(url, root=checkout)
    assert migrate(url, "--dry-run", root=checkout) == (0, "", "")


def test_index_is_made_without_locks_while_another_process_waits(url, checkout):
    write(
        checkout,
        "0003_index",
        "-- no-transaction: it would lock the table.\n"
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS entries_id_idx ON entries (id);\n",
    )

    def is_said(connection, text):
        condition = "application_name = 'migrate' AND datname = current_database() AND query LIKE %s"
        return ask(connection, f"SELECT pid FROM pg_stat_activity WHERE {condition}", f"%{text}%")

    with ExitStack() as stack:
        watcher = stack.enter_context(connected(url))
        writer = stack.enter_context(connected(url))
        ask(watcher, "CREATE TABLE entries (id int, title text)")
        write(checkout, "0001_entries", "SELECT 1;")
        write(checkout, "0002_more", "SELECT 1;")
        # The index waits for whoever was writing when it began.
        ask(writer, "BEGIN")
        ask(writer, "INSERT INTO entries VALUES (1)")
        first = start(url, root=checkout)
        eventually(lambda: is_said(watcher, "CREATE INDEX CONCURRENTLY"))
        second = start(url, root=checkout)
        eventually(lambda: is_said(watcher, "pg_try_advisory_lock"))
        ask(writer, "COMMIT")
        assert finish(first)[0] == 0
        assert finish(second) == (0, "The schema is at version 3.\n", "")
        assert ask(watcher, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'entries_id_idx'::regclass") == [
            {"indisvalid": True}
        ]


def test_who_waits_too_long_for_another_says_so_in_one_line(url, checkout):
    with connected(url) as other:
        ask(other, "SELECT pg_advisory_lock(7316420001)")
        code, output, errors = migrate(url, "--wait", "0.2", root=checkout)
    assert (code, output) == (1, "")
    assert errors == "migrate: another process is still migrating; try again when it has finished\n"
    assert tables(url) == []


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://alice:open%20sesame@127.0.0.1:9/diary",
        "postgresql://alice:open%20sesame@nowhere.invalid/diary",
    ],
)
def test_unreachable_database_is_named_in_one_line_without_the_password(checkout, address):
    line = refusal(address, checkout)
    assert "PostgreSQL is not reachable" in line
    assert "sesame" not in line


def test_wrong_password_is_not_repeated(url, checkout):
    line = refusal(url.replace("postgres:", "postgres:open-sesame-", 1), checkout)
    assert "password authentication failed" in line
    assert "sesame" not in line


def test_address_that_cannot_be_read_is_refused_in_one_line_without_the_password(checkout):
    code, output, errors = migrate("postgresql://alice:open%zzsesame@127.0.0.1:9/diary", root=checkout)
    assert (code, output, len(errors.splitlines())) == (1, "", 1)
    assert "DATABASE_URL" in errors
    assert "sesame" not in errors


def test_missing_address_is_named_in_one_line(checkout):
    code, output, errors = migrate("", root=checkout)
    assert (code, output) == (1, "")
    assert "DATABASE_URL" in errors
    assert len(errors.splitlines()) == 1
