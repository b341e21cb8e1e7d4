"""One word for one thing in what people read of the code: comments, docstrings and documents."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# What was written once, and what a colleague would say.
INSTEAD = {
    r"without losing heart": "reconnect, try again",
    r"behind the backs? of": "in the background",
    r"\b[Ll]ets? (?:a|an|the) \w+ be[.;,\"]": "stop watching it, stop waiting for it",
    r"\bkills? (?:every|the|a) .*token": "revokes",
}


def tracked(*patterns):
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return [ROOT / name for name in names if (ROOT / name).is_file()]


@pytest.mark.parametrize(("phrase", "instead"), INSTEAD.items(), ids=INSTEAD.values())
def test_phrase_that_was_replaced_does_not_return(phrase, instead):
    for path in tracked("scheduling/*.py", "jobs/*.py", "sql/*.py", "scripts/*.py", "README.md", "docs/*.md"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            assert not re.search(phrase, line), f"{path.relative_to(ROOT)}:{number}: say instead: {instead}"


def test_no_file_has_a_conflict_that_was_not_resolved():
    for path in tracked():
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            is_mark = line.startswith((b"<<<<<<< ", b">>>>>>> "))
            assert not is_mark, f"{path.relative_to(ROOT)}:{number}: resolve the conflict"
