"""A database without a schema, and a checkout with migrations of the test's own."""

import shutil

import pytest

from tests.databases import empty_database
from tests.scripts.migrating import ROOT, write


@pytest.fixture
def url():
    with empty_database() as url:
        yield url


@pytest.fixture
def checkout(tmp_path):
    """Copy what the command needs, with two migrations of the test's own."""
    for part in ("scripts", "sql", "jobs"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__", "migrations"))
    write(tmp_path, "0001_entries", "CREATE TABLE entries (id int);")
    write(tmp_path, "0002_more", "ALTER TABLE entries ADD COLUMN title text;")
    return tmp_path
