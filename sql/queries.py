"""The named statements of `sql/queries/*.sql`: `from sql.queries import bookings`, `bookings.insert_booking(tx, …)`."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import aiosql
from aiosql.adapters.pyformat import PyFormatAdapter
from psycopg2.extensions import cursor as Cursor

from sql.database import Queue, Transaction

Row = dict[str, Any]


class _Statements(PyFormatAdapter):
    """Run statements in a Transaction; rows are dictionaries, and a select is read to its end at once."""

    @contextmanager
    def _run(self, tx: Transaction | Queue, sql: str, parameters: Mapping[str, Any]) -> Iterator[Cursor]:
        if parameters.keys() != _expected(sql):
            raise TypeError(f"expected {sorted(_expected(sql))}, got {sorted(parameters)}")
        with tx.execute(sql, parameters) as cursor:
            yield cursor

    def select(self, tx: Transaction, _name: str, sql: str, parameters: Any, _record: Any = None) -> Any:
        """Return all rows."""
        with self._run(tx, sql, parameters) as cursor:
            names = _names(cursor)
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def select_one(self, tx: Transaction, _name: str, sql: str, parameters: Any, _record: Any = None) -> Any:
        """Return the first row, or None."""
        with self._run(tx, sql, parameters) as cursor:
            row = cursor.fetchone()
            return None if row is None else dict(zip(_names(cursor), row, strict=True))

    def select_value(self, tx: Transaction, _name: str, sql: str, parameters: Any) -> Any:
        """Return the first column of the first row, or None."""
        with self._run(tx, sql, parameters) as cursor:
            row = cursor.fetchone()
            return None if row is None else row[0]

    def insert_update_delete(self, tx: Transaction | Queue, _name: str, sql: str, parameters: Any) -> int:
        """Return the number of rows touched, which of a statement that goes with the next one nobody knows: -1."""
        with self._run(tx, sql, parameters) as cursor:
            return int(cursor.rowcount)


@cache
def _expected(sql: str) -> frozenset[str]:
    """Find the parameters of a statement: psycopg2 itself ignores a superfluous one."""
    return frozenset(re.findall(r"%\((\w+)\)s", sql))


def _names(cursor: Cursor) -> list[str]:
    return [column.name for column in cursor.description or ()]


_LOADED = {
    path.stem: aiosql.from_path(path, _Statements) for path in sorted(Path(__file__).with_suffix("").glob("*.sql"))
}


def __getattr__(area: str) -> Any:
    """Return the statements of `sql/queries/<area>.sql`, which `from sql.queries import <area>` asks for."""
    if area.startswith("__"):
        raise AttributeError(area)
    if area not in _LOADED:
        raise ImportError(f"Write sql/queries/{area}.sql, or import another area")
    return _LOADED[area]
