"""The tables that tests fill, read from the database: who adds a table has nothing to write down."""

from graphlib import TopologicalSorter

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

# What a migration has put there stays.
_KEPT = {"schema_migrations", "analytics_rollup"}
_REFERENCES = """
    SELECT relname AS child, confrelid::regclass::text AS parent FROM pg_class
    LEFT JOIN pg_constraint ON conrelid = pg_class.oid AND contype = 'f' AND confrelid <> conrelid
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
    ORDER BY relname
"""
_known: dict[str, list[str]] = {}


def tables_of(connection: Connection) -> list[str]:
    """Return the tables, children before parents, and those that nothing refers to last."""
    if connection.dsn not in _known:
        with connection.cursor() as cursor:
            _known[connection.dsn] = _in_order(cursor)
    return _known[connection.dsn]


def delete_all(cursor: Cursor) -> None:
    """Delete every row: faster than TRUNCATE for the few rows of a test."""
    cursor.execute("; ".join(f"DELETE FROM {table}" for table in tables_of(cursor.connection)))


def _in_order(cursor: Cursor) -> list[str]:
    cursor.execute(_REFERENCES)
    children: dict[str, set[str]] = {}
    for row in cursor.fetchall():
        child, parent = tuple(row.values()) if isinstance(row, dict) else row
        if child not in _KEPT:
            children.setdefault(child, set())
        if parent is not None:
            children.setdefault(parent, set()).add(child)
    in_order = list(TopologicalSorter(children).static_order())
    # Deleting somebody waits for a rollup that may still be at work on the tables of analytics, which refer to nobody.
    referring = {*(table for table, others in children.items() if others), *set().union(*children.values())}
    return sorted(in_order, key=lambda table: table not in referring)
