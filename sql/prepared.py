"""Prepare the statements that a connection runs often, so that each is planned once.

A statement is prepared once for each set of parameters that are None. These are planned as NULL, so that PostgreSQL
removes the filters that do not apply, and the plan is as good as one made for the values.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from psycopg2.extensions import cursor as Cursor

# As in psycopg 3: preparing a statement that is rarely run costs more than it saves.
_PREPARED_AFTER = 5
# A connection keeps at most so many plans; further statements are planned each time.
_MOST_PLANS = 500

_PARAMETER = re.compile(r"%\((\w+)\)s")
# PREPARE takes these, after comments; everything else is sent as it is.
_PREPARABLE = re.compile(r"(?:\s|--[^\n]*\n)*(?:SELECT|INSERT|UPDATE|DELETE|MERGE|VALUES|WITH)\b", re.IGNORECASE)
_END = re.compile(r";\s*(?:\n|\Z)")

_NONE: frozenset[str] = frozenset()

Parameters = Mapping[str, Any]


@dataclass(slots=True)
class PreparedStatements:
    """Hold the prepared statements of one connection."""

    _uses: dict[tuple[str, frozenset[str]], int] = field(default_factory=dict)
    _ready: dict[tuple[str, frozenset[str]], str] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)

    def render(self, cursor: Cursor, statement: str, parameters: Parameters) -> bytes:
        """Return the text to send for a statement; prepare it first when it has been run often enough."""
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
            # Named after its text, so that a name never means two statements, even when a pooler shares sessions.
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
    """Return each part of a statement with numbered parameters, and the names of these in order."""
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
