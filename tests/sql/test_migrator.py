"""The migrations are a list without gaps, and what they build keeps its promises."""

from contextlib import closing

import psycopg2
import pytest

from sql.migrator import (
    FOLDER,
    MigrationError,
    apply_migration,
    create_ledger,
    latest_version,
    load_migrations,
    migration_lock,
    pending_migrations,
)
from sql.queries import notifications
from tests.databases import ask, empty_database
from tests.waiting import eventually


@pytest.fixture
def url():
    with empty_database() as url:
        yield url


def connect(url):
    connection = psycopg2.connect(url)
    connection.autocommit = True
    return closing(connection)


@pytest.fixture
def empty(url):
    """Offer a database in which nothing was migrated."""
    with connect(url) as connection:
        yield connection


@pytest.fixture
def another(url):
    """Offer a second connection to the same database."""
    with connect(url) as connection:
        yield connection


@pytest.fixture
def folder(tmp_path):
    """Offer a folder to write migrations into."""
    (tmp_path / "0001_entries.sql").write_text("CREATE TABLE entries (id int);")
    (tmp_path / "0002_more.sql").write_text("ALTER TABLE entries ADD COLUMN title text;")
    return tmp_path


def migrate(connection, folder):
    create_ledger(connection)
    for migration in pending_migrations(connection, load_migrations(folder)):
        apply_migration(connection, migration)


def enter(connection, work=tuple):
    with migration_lock(connection, wait_within=0):
        work()


def applied(connection):
    with connection.cursor() as cursor:
        cursor.execute("SELECT version, name FROM schema_migrations ORDER BY version")
        return cursor.fetchall()


def tables(connection):
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'")
        return {name for (name,) in cursor.fetchall()}


# The list


def test_files_are_read_in_the_order_of_their_numbers(folder):
    assert [(migration.version, migration.name) for migration in load_migrations(folder)] == [
        (1, "entries"),
        (2, "more"),
    ]
    assert latest_version(folder) == 2


def test_our_own_files_are_numbered_without_a_gap():
    assert [migration.version for migration in load_migrations()] == list(range(1, latest_version() + 1))
    assert latest_version() == len(list(FOLDER.iterdir()))


@pytest.mark.parametrize("name", ["0004_gap.sql", "0002_again.sql", "3_short.sql", "0003-dash.sql", "0003_Loud.sql"])
def test_gap_a_duplicate_and_a_name_that_is_none_are_refused(folder, name):
    (folder / name).write_text("SELECT 1;")
    with pytest.raises(MigrationError, match=r"should be named 000[23]_<what_it_does>\.sql"):
        load_migrations(folder)


# The ledger


def test_each_migration_is_applied_once(empty, folder):
    migrate(empty, folder)
    migrate(empty, folder)
    assert applied(empty) == [(1, "entries"), (2, "more")]


def test_migration_that_fails_leaves_nothing_of_itself_and_keeps_the_earlier_ones(empty, folder):
    (folder / "0003_bad.sql").write_text("CREATE TABLE half (id int); INSERT INTO half VALUES (1); SELECT 1 / 0;")
    with pytest.raises(MigrationError, match=r"^0003_bad\.sql failed: division by zero$"):
        migrate(empty, folder)
    assert applied(empty) == [(1, "entries"), (2, "more")]
    assert tables(empty) == {"entries", "schema_migrations"}

    (folder / "0003_bad.sql").write_text("CREATE TABLE whole (id int);")
    migrate(empty, folder)
    assert applied(empty) == [(1, "entries"), (2, "more"), (3, "bad")]


def test_migration_that_cannot_be_recorded_is_undone(empty, folder):
    # The record and the work are one: whatever stands between them must not part them.
    (folder / "0003_bad.sql").write_text(
        "CREATE TABLE half (id int); ALTER TABLE schema_migrations ADD CONSTRAINT no_more CHECK (version < 3);"
    )
    with pytest.raises(MigrationError, match=r"^0003_bad\.sql failed: .*no_more"):
        migrate(empty, folder)
    assert tables(empty) == {"entries", "schema_migrations"}


def test_file_that_was_changed_after_it_was_applied_is_refused(empty, folder):
    migrate(empty, folder)
    (folder / "0001_entries.sql").write_text("CREATE TABLE entries (id bigint);")
    with pytest.raises(MigrationError, match=r"^0001_entries\.sql was changed after it was applied"):
        migrate(empty, folder)


def test_database_that_is_newer_than_the_code_is_refused(empty, folder):
    migrate(empty, folder)
    (folder / "0002_more.sql").unlink()
    with pytest.raises(MigrationError, match="migration 0002, which this code does not know"):
        migrate(empty, folder)


def test_looking_changes_nothing(empty, folder):
    assert [migration.version for migration in pending_migrations(empty, load_migrations(folder))] == [1, 2]
    assert tables(empty) == set()


# The lock


def test_lock_lets_one_in_and_refuses_who_waits_too_long(empty, another):
    with migration_lock(empty, wait_within=0), pytest.raises(MigrationError, match="another process is still migrat"):
        enter(another)
    enter(another)


def test_lock_is_free_again_after_a_failure(empty, another):
    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        enter(empty, fail)
    enter(another)


# The schema


def test_unread_badge_is_counted_in_its_index_alone(database):
    ask(
        database,
        "INSERT INTO users (name, email, password_hash) SELECT 'Alice', number || '@example.com', ''"
        " FROM generate_series(1, 50) AS number",
    )
    # Most of what a person was told has been read. What is not flushed yet VACUUM cannot mark as visible to all.
    ask(
        database,
        "BEGIN; SET LOCAL synchronous_commit = on;"
        " INSERT INTO notifications (user_id, type, title, message, is_read)"
        " SELECT users.id, 'ORG_INVITE', 'title', repeat('message ', 20), number % 20 <> 0"
        " FROM users, generate_series(1, 400) AS number; COMMIT",
    )
    (user,) = ask(database, "SELECT min(id) AS id FROM users")

    def plan():
        ask(database, "VACUUM ANALYZE notifications")
        statement = notifications.count_unread_notifications.sql.replace("%(user_id)s", "%s")
        (row,) = ask(database, "EXPLAIN (ANALYZE, FORMAT JSON) " + statement, user["id"])
        return row["QUERY PLAN"][0]["Plan"]["Plans"][0]

    assert (plan()["Node Type"], plan()["Index Name"]) == ("Index Only Scan", "notifications_user_id_unread_idx")
    # VACUUM leaves a page for the next time when somebody else holds it at that moment.
    eventually(lambda: (plan()["Actual Rows"], plan()["Heap Fetches"]) == (20, 0))


def test_every_foreign_key_has_an_index(database):
    # Without one, removing a user reads every row of the table that points to users.
    rows = ask(
        database,
        """
        SELECT conname FROM pg_constraint
        WHERE contype = 'f' AND connamespace = 'public'::regnamespace AND NOT EXISTS (
            SELECT FROM pg_index
            WHERE indrelid = conrelid
              AND (indkey::int2[])[0:cardinality(conkey) - 1] @> conkey
              AND (indpred IS NULL OR pg_get_expr(indpred, indrelid) = format('(%I IS NOT NULL)', (
                  SELECT attname FROM pg_attribute WHERE attrelid = conrelid AND attnum = conkey[1]))))
        """,
    )
    assert rows == []


def test_constraints_are_named_after_their_table_and_columns(database):
    suffixes = {"p": "pkey", "u": "key", "c": "check", "x": "excl", "f": "fkey"}
    rows = ask(
        database,
        """
        SELECT conname, contype::text, relname, ARRAY(
            SELECT attname::text FROM unnest(conkey) WITH ORDINALITY AS key (number, position)
            JOIN pg_attribute ON attrelid = conrelid AND attnum = number ORDER BY position) AS columns
        FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
        WHERE connamespace = 'public'::regnamespace AND contype <> 'n' AND NOT relispartition
        """,
    )
    assert len(rows) > 20
    for row in rows:
        table, columns, suffix = row["relname"], "_".join(row["columns"]), suffixes[row["contype"]]
        if row["contype"] in "uf":
            assert row["conname"] == f"{table}_{columns}_{suffix}"
        elif row["contype"] == "p":
            assert row["conname"] == f"{table}_pkey"
        else:
            assert row["conname"].startswith(f"{table}_")
            assert row["conname"].endswith(f"_{suffix}")


def test_indexes_are_named_after_their_table_and_columns(database):
    rows = ask(
        database,
        """
        SELECT index.relname AS name, relation.relname AS table, indpred IS NOT NULL AS partial, ARRAY(
            SELECT attname::text FROM unnest(indkey::int2[]) WITH ORDINALITY AS key (number, position)
            JOIN pg_attribute ON attrelid = indrelid AND attnum = number ORDER BY position) AS columns
        FROM pg_index
        JOIN pg_class AS index ON index.oid = indexrelid JOIN pg_class AS relation ON relation.oid = indrelid
        WHERE relation.relnamespace = 'public'::regnamespace
          AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype <> 'f')
        """,
    )
    assert len(rows) > 10
    for row in rows:
        expected = f"{row['table']}_{'_'.join(row['columns'])}_idx"
        # A partial index may say what it holds instead of what it is ordered by.
        assert row["name"] == expected or (row["partial"] and row["name"].startswith(f"{row['table']}_"))
        assert row["name"].endswith("_idx")
