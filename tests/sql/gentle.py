"""Find in a migration what would keep others from a table for as long as it takes to read it.

What the file creates itself is empty, and nobody waits for it. A file may do otherwise if its first comment says why:
"Without CONCURRENTLY: …" or "Without NOT VALID: …".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_BODY = re.compile(r"(\$\w*\$).*?\1", re.DOTALL)
_LITERAL = re.compile(r"'[^']*'")
_CREATED = re.compile(r"CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?(\w+)", re.IGNORECASE)
_REASON = re.compile(r"Without (CONCURRENTLY|NOT VALID): \S+ \S+")

_INDEX = re.compile(r"CREATE (?:UNIQUE )?INDEX(?P<concurrently> CONCURRENTLY)?\b.*? ON (?:ONLY )?(\w+)", re.IGNORECASE)
_ALTER = re.compile(r"ALTER TABLE (?:IF EXISTS )?(?:ONLY )?(\w+) (.*)", re.IGNORECASE)


@dataclass(frozen=True)
class Rule:
    """What part of a statement must not look like, the words that excuse it, and what to write instead."""

    pattern: str
    excuse: str
    advice: str


INDEX = (
    "nobody can write to {} while the index is built: write CREATE INDEX CONCURRENTLY, in a file of its own that "
    "begins with -- no-transaction"
)
CONSTRAINT = r"ADD (?:CONSTRAINT \w+ )?"
COLUMN = r"ADD (?!CONSTRAINT|CHECK|FOREIGN|UNIQUE|PRIMARY|EXCLUDE)(?:COLUMN )?.*"
# What ALTER TABLE does to a table that has rows.
RULES = (
    Rule(
        rf"{CONSTRAINT}(?:CHECK|FOREIGN KEY)\b(?!.* NOT VALID)",
        "NOT VALID",
        "nobody can write to {} while it is read: write ADD CONSTRAINT … NOT VALID, and in the following file "
        "ALTER TABLE … VALIDATE CONSTRAINT …",
    ),
    Rule(
        rf"{CONSTRAINT}(?:UNIQUE|PRIMARY KEY|EXCLUDE)\b(?!.* USING INDEX )",
        "CONCURRENTLY",
        "nobody can use {} while the index is built: CREATE UNIQUE INDEX CONCURRENTLY in a file before, then "
        "ADD CONSTRAINT … USING INDEX",
    ),
    Rule(
        rf"{COLUMN}\b(?:CHECK|REFERENCES|UNIQUE|PRIMARY KEY)\b",
        "NOT VALID",
        "{} is read under its lock for the constraint of the column: add the column alone, then ADD CONSTRAINT … "
        "NOT VALID, and VALIDATE it in the following file",
    ),
    Rule(
        # A default that differs from row to row, or a column that is computed, is written into every row.
        rf"{COLUMN}(?:DEFAULT (?:GEN_RANDOM_UUID|UUIDV\d|RANDOM|CLOCK_TIMESTAMP|NEXTVAL)\b|\bGENERATED\b|SERIAL\b)",
        "NOT VALID",
        "every row of {} is written anew: add the column without that default, and set the default after it",
    ),
    Rule(
        r"ALTER (?:COLUMN )?\w+ (?:SET DATA )?TYPE\b",
        "NOT VALID",
        "every row of {} is written anew: add a column, and fill it from the running release",
    ),
    Rule(
        r"ALTER (?:COLUMN )?\w+ SET NOT NULL",
        "NOT VALID",
        "{} is read under its lock: add CHECK (… IS NOT NULL) NOT VALID, VALIDATE it in the following file, and set "
        "NOT NULL after that",
    ),
)


def statements_of(text: str) -> list[str]:
    """Return the statements of a file in one line each, without comments, bodies of functions and literals."""
    plain = _LITERAL.sub("''", _BODY.sub("''", _COMMENT.sub("", text)))
    return [" ".join(part.split()) for part in plain.split(";") if part.strip()]


def first_comment_of(text: str) -> str:
    """Return the comment at the beginning of a file as one line."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        lines.append(line.removeprefix("--").strip())
    return " ".join(lines)


def faults_of(name: str, text: str) -> list[str]:
    """Return what is wrong with a file, each with what to write instead."""
    statements = statements_of(text)
    created = {table.lower() for statement in statements for table in _CREATED.findall(statement)}
    excused = set(_REASON.findall(first_comment_of(text)))
    faults = [
        f'{name}: {advice}, or say in the first comment why not: "Without {excuse}: …"'
        for statement in statements
        for excuse, advice in _rough_parts(statement, created)
        if excuse not in excused
    ]
    return faults + [f"{name}: {advice}" for advice in _misplaced(text, statements)]


def _rough_parts(statement: str, created: set[str]) -> Iterator[tuple[str, str]]:
    """Yield what would excuse a part of a statement about a table that has rows, and what to write instead."""
    index, change = _INDEX.match(statement), _ALTER.match(statement)
    if index and not index["concurrently"] and index[2].lower() not in created:
        yield "CONCURRENTLY", INDEX.format(index[2])
    if change and change[1].lower() not in created:
        for action in _actions(change[2]):
            for rule in RULES:
                if re.match(rule.pattern, action.upper()):
                    yield rule.excuse, rule.advice.format(change[1])


def _misplaced(text: str, statements: list[str]) -> Iterator[str]:
    """Yield what would not work, or not gently, where it stands."""
    alone = text.startswith("-- no-transaction")
    together = "; ".join(statements)
    if alone and len(statements) != 1:
        yield "a file without a transaction holds one statement: put the others into files of their own"
    if not alone and " CONCURRENTLY" in together.upper():
        yield "CONCURRENTLY cannot run in a transaction: begin the file with -- no-transaction"
    if re.match("DROP INDEX CONCURRENTLY (?!IF EXISTS)", together, re.IGNORECASE):
        yield "a run that was cut off is repeated: write DROP INDEX CONCURRENTLY IF EXISTS"
    for constraint in re.findall(r"ADD CONSTRAINT (\w+)", together, re.IGNORECASE):
        if re.search(rf"VALIDATE CONSTRAINT {constraint}\b", together, re.IGNORECASE):
            yield f"{constraint} is validated under the lock that adding it takes: VALIDATE it in the following file"


def _actions(text: str) -> list[str]:
    """Split what ALTER TABLE does at the commas that no parenthesis surrounds."""
    actions, depth, begin = [], 0, 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            actions.append(text[begin:position].strip())
            begin = position + 1
    return [*actions, text[begin:].strip()]
