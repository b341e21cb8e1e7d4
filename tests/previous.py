"""The release before this one, out of the history, to run beside it."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# What runs in production when this release is deployed. CONTRIBUTING.md says when it moves.
REVISION = "b544e037aa2fa97e576467e7b2fc8f07d30328b6"


def check_out(folder: Path) -> Path:
    """Write the files of the release before into a folder, and return it."""
    archive = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "archive", REVISION], cwd=ROOT, capture_output=True, check=False
    )
    if archive.returncode:
        pytest.fail(
            f"The release before, {REVISION[:7]}, is not in this clone: run `git fetch --unshallow`, then again."
        )
    folder.mkdir()
    subprocess.run(["tar", "--extract", "--file=-", f"--directory={folder}"], input=archive.stdout, check=True)
    return folder
