"""Check out another revision of the project, to be measured in turns with this one."""

import io
import shutil
import subprocess
import tarfile
from contextlib import ExitStack
from pathlib import Path

from scripts.stack.errors import StackError
from scripts.stack.procfile import ROOT


def check_out(stack: ExitStack, revision: str, folder: Path) -> Path:
    """Return a folder with the files of a revision; the stack removes it."""
    # An archive and not a worktree: an interrupted run leaves nothing behind that git would have to forget.
    archive = subprocess.run(["git", "archive", revision, "--"], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        raise StackError(f"--against {revision}: {archive.stderr.decode(errors='replace').strip()}")
    shutil.rmtree(folder, ignore_errors=True)
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as content:
        content.extractall(folder, filter="data")
    return folder
