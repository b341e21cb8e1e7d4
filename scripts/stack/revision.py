"""Check out another revision of the project, to run beside this one."""

import io
import subprocess
import tarfile
from pathlib import Path

from scripts.stack.errors import StackError
from scripts.stack.procfile import ROOT


def check_out(revision: str, folder: Path) -> Path:
    """Write the files of a revision into a folder, and return it."""
    # An archive and not a worktree: an interrupted run leaves nothing behind that git would have to forget.
    command = ["git", "-c", f"safe.directory={ROOT}", "archive", revision, "--"]
    archive = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        raise StackError(f"revision {revision}: {archive.stderr.decode(errors='replace').strip()}")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as content:
        content.extractall(folder, filter="data")
    return folder
