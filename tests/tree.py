"""The files of the project and the statements in them, for tests that walk them all."""

import ast
from pathlib import Path

from sql import queries

ROOT = Path(__file__).resolve().parents[1]
OTHERS = {".venv", "node_modules", "generated"}
PACKAGES = ("scheduling", "jobs", "sql", "scripts")


def relative(path):
    """Return a path as the tree names it."""
    return str(path.relative_to(ROOT))


def python_files(*folders):
    """Return our own modules in folders: not what `make clients` installs and generates there."""
    paths = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return sorted(path for path in paths if not OTHERS & set(path.parts))


SOURCES = [ROOT / "wsgi.py", ROOT / "gunicorn.conf.py", *python_files(*PACKAGES)]
SQL_FILES = sorted((ROOT / "sql/queries").glob("*.sql"))
AREAS = [path.stem for path in SQL_FILES]
FILES = [*SOURCES, *(ROOT / "sql").rglob("*.sql"), *python_files("tests")]


def tree_of(path):
    """Return a module as `ast` reads it."""
    return ast.parse(path.read_text(), str(path))


def statements():
    """Yield area, name and text of every statement."""
    for area in AREAS:
        loaded = getattr(queries, area)
        for name in loaded.available_queries:
            if not name.endswith("_cursor"):
                yield area, name, getattr(loaded, name).sql


STATEMENTS = list(statements())
NAMED = [f"{area}.{name}" for area, name, _ in STATEMENTS]
