"""The release before this one, out of the history, to run beside it."""

from pathlib import Path

import pytest

from scripts.stack import revision
from scripts.stack.errors import StackError

ROOT = Path(__file__).resolve().parent.parent
# What runs in production when this release is deployed. CONTRIBUTING.md says when it moves.
REVISION = "b544e037aa2fa97e576467e7b2fc8f07d30328b6"


def check_out(folder: Path) -> Path:
    """Write the files of the release before into a folder, and return it."""
    try:
        return revision.check_out(REVISION, folder)
    except StackError:
        pytest.fail(
            f"The release before, {REVISION[:7]}, is not in this clone: run `git fetch --unshallow`, then again."
        )
