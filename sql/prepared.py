"""Prepared statements: what a connection runs again and again is planned once.

A statement has a shape for each set of parameters that are absent. An absent filter is planned as NULL, so that
PostgreSQL drops it, and the plan of a shape is as good as one made for its values.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from psycopg2.extensions import cursor as Cursor

# As psycopg 3 does: a statement that comes seldom costs more to prepare than it saves.
_PREPARED_AFTER = 5
# A connection keeps at most as many plans; whatever comes later is planned each time.
_MOST_PLANS = 500

_PARAMETER = re.compile(r"%\((\w+)\)s")
# What PREPARE takes, behind comments; all else is sent as it is.
_PREPARABLE = re.compile(r"(?:\s|--[^\n]*\n)*(?:SELECT|INSERT|UPDATE|DELETE|MERGE|VALUES|WITH)\b", re.IGNORECASE)
_END = re.compile(r";\s*(?:\n|\Z)")

_NONE: frozenset[str] = frozenset()

Parameters = Mapping[str, Any]


@dataclass(slots=True)
class PreparedStatements:
    """The prepared statements of one connection."""

    _uses: dict[tuple[str, frozenset[str]], int] = field(default_factory=dict)
    _ready: dict[tuple[str, frozenset[str]], str] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)

    def render(self, cursor: Cursor, statement: str, parameters: Parameters) -> bytes:
        """Return what to send for a statement; prepare it first when it has been asked for often enough."""
        absent = [name for name, value in parameters.items() if value is None]
        shape = statement, frozenset(absent) if absent else _NONE
        template = self._ready.get(shape)
        if template is None:
            uses = self._uses[shape] = self._uses.get(shape, 0) + 1
            if uses <= _PREPARED_AFTER or len(self._ready) >= _MOST_PLANS:
                return mogrify(cursor, statement, parameters)
            template = self._ready[shape] = self._prepare(cursor, *shape)
        return mogrify(cursor, template, parameters)

    def _prepare(self, cursor: Cursor, statement: str, absent: frozenset[str]) -> str:
        """Prepare each part of a statement; return the text that executes them."""
        executions = []
        for text, names in _numbered_parts(statement, absent):
            if not _PREPARABLE.match(text):
                executions.append(text.replace("%", "%%"))
                continue
            # Named after its text: where a pooler lends the session of another, it cannot be taken for another one.
            name = f"s_{hashlib.sha256(text.encode()).hexdigest()[:24]}"
            if name not in self._names:
                cursor.execute(f"PREPARE {name} AS {text}")
                self._names.add(name)
            arguments = ", ".join(f"%({parameter})s" for parameter in names)
            executions.append(f"EXECUTE {name}({arguments})" if names else f"EXECUTE {name}")
        return "; ".join(executions)


def mogrify(cursor: Cursor, statement: str, parameters: Parameters) -> bytes:
    """Return a statement with its parameters in place."""
    text: bytes = cursor.mogrify(statement, parameters)
    return text.rstrip().rstrip(b";")


@cache
def _numbered_parts(statement: str, absent: frozenset[str]) -> list[tuple[str, list[str]]]:
    """Return each part of a statement with numbered parameters, and the names behind the numbers."""
    parts = []
    for part in filter(str.strip, _END.split(statement)):
        names: list[str] = []

        def number(match: re.Match[str], names: list[str] = names) -> str:
            name = match[1]
            if name in absent:
                return "NULL"
            if name not in names:
                names.append(name)
            return f"${names.index(name) + 1}"

        parts.append((_PARAMETER.sub(number, part).replace("%%", "%"), names))
    return parts
