"""What CONTRIBUTING.md tells to do works as it stands there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.recipe import Block, blocks, carry_out, copy_tree

# Servers are shared with the tests around; the databases of this number are nobody else's.
OUTSIDE = {"PYTEST_XDIST_WORKER": "gw15"}


def run(folder, *command):
    # What coverage or xdist tell their processes is not for these.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "PYTEST_"))}
    done = subprocess.run(
        command, cwd=folder, env=kept | OUTSIDE, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def desks(tmp_path_factory):
    """Offer a copy of the tree to which the recipe was applied."""
    folder = tmp_path_factory.mktemp("desks")
    copy_tree(folder)
    for block in blocks("Add a feature"):
        carry_out(block, folder)
    return folder


def test_recipe_names_a_file_for_every_station_and_seven_in_all():
    paths = dict.fromkeys(block.path for block in blocks("Add a feature"))
    folders = ["sql/migrations", "sql/queries", "scheduling/schemas", "scheduling/routes", "scheduling"]
    assert [str(Path(path).parent) for path in paths] == [*folders, "tests/scheduling/routes", "."]


# One test, because two at a time would share the databases.
def test_feature_of_the_recipe_works_and_keeps_the_promises_that_span_files(desks):
    files = [
        *("tests/scheduling/routes/test_desks.py", "tests/scheduling/routes/test_repeats.py"),
        *("tests/scheduling/openapi/test_openapi.py", "tests/scheduling/schemas/test_choices.py"),
        *("tests/test_architecture.py", "tests/test_imports.py", "tests/test_nothing_is_cut.py"),
        "tests/scripts/test_rooms.py",
        *("tests/attack/test_access_matrix.py", "tests/scheduling/test_errors.py", "tests/scheduling/test_faults.py"),
    ]
    # Of those that try every route, what they do with the new ones and what they say of all.
    chosen = "not test_request_under_a_key and not test_caller_is_answered or desks"
    assert "passed" in run(desks, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", chosen, *files)


CHECKS = {
    "ruff check": ["-m", "ruff", "check"],
    "ruff format": ["-m", "ruff", "format", "--check"],
    "import-linter": ["-c", "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"],
}


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_code_of_the_recipe_is_clean(desks, check):
    run(desks, sys.executable, *check)


def test_change_of_what_is_not_there_is_found(tmp_path):
    (tmp_path / "sql/migrations").mkdir(parents=True)
    (tmp_path / "sql/migrations/0007_x.sql").touch()
    (tmp_path / "sql/queries.py").write_text("a\n")
    with pytest.raises(ValueError, match="exactly once"):
        carry_out(Block("sql/queries.py", "diff", " b\n+c\n"), tmp_path)
    carry_out(Block("sql/migrations/NNNN_desks.sql", "sql", "SELECT 1;\n"), tmp_path)
    assert (tmp_path / "sql/migrations/0008_desks.sql").read_text() == "SELECT 1;\n"
