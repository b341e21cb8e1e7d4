"""Run the migrate command, and look at what it left."""

import os
import subprocess
import sys
from pathlib import Path

from tests.databases import ask, connected

ROOT = Path(__file__).resolve().parent.parent.parent


def write(checkout, name, text):
    folder = checkout / "sql" / "migrations"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.sql").write_text(text)


def start(url, *arguments, root=ROOT):
    return subprocess.Popen(
        [sys.executable, root / "scripts" / "migrate.py", *arguments],
        cwd=root,
        env={"PATH": os.environ["PATH"], "APP_ENV": "production", "DATABASE_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    output, errors = process.communicate(timeout=60)
    return process.returncode, output, errors


def migrate(url, *arguments, root=ROOT):
    return finish(start(url, *arguments, root=root))


def versions(url):
    with connected(url) as connection:
        return [row["version"] for row in ask(connection, "SELECT version FROM schema_migrations ORDER BY version")]


def tables(url):
    with connected(url) as connection:
        rows = ask(
            connection, "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        return sorted(row["relname"] for row in rows)


def refusal(url, root):
    """Return the one line that says why nothing was done."""
    code, output, errors = migrate(url, root=root)
    (line,) = errors.splitlines()
    assert (code, output) == (1, "")
    assert line.startswith("migrate: ")
    return line
