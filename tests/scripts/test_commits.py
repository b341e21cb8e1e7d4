"""Tests of the check that each commit stands by itself."""

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.project import commits

LAYERS = """\
[importlinter]
root_packages =
    scheduling
    jobs
    sql

[importlinter:contract:layers]
name = one way
type = layers
layers =
    scheduling
    jobs
    sql
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a repository whose first commit is good, and look at it."""
    for package in ("scheduling", "jobs", "sql"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / "setup.cfg").write_text(LAYERS)
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    commit(tmp_path, "Begin")
    monkeypatch.setattr(commits, "ROOT", tmp_path)
    return tmp_path


def git(project: Path, *arguments: str) -> None:
    person = ("-c", "user.name=Alice", "-c", "user.email=alice@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *person, *arguments], cwd=project, check=True)


def commit(project: Path, subject: str, **files: str) -> None:
    for name, text in files.items():
        (project / f"{name.replace('_', '/')}.py").write_text(text)
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", subject)


def check(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["commits", *arguments])
    commits.main()


def test_commit_that_needs_the_next_one_is_named(project, monkeypatch, capsys):
    commit(project, "Render times", jobs_rendering="import jobs.times\n\nprint(jobs.times)\n")
    commit(project, "Tell times", jobs_times='"""Times."""\n')
    with pytest.raises(SystemExit) as refused:
        check(monkeypatch, "--since", "HEAD~2")
    first, second = str(refused.value).splitlines()
    assert (first, second.split(" ", 1)[1]) == ("These commits do not stand by themselves:", "Render times")
    assert "No module named 'jobs.times'" in capsys.readouterr().out
    check(monkeypatch, "--last", "1")
    assert "1 commits checked" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"jobs_lint": "import os\n"}, "F401"),
        ({"jobs_format": "VALUE = ( 1 )\n"}, "would be reformatted"),
        ({"sql_upwards": "import jobs\n\nprint(jobs)\n"}, "BROKEN"),
    ],
)
def test_each_check_can_fail(project, monkeypatch, capsys, files, reason):
    commit(project, "Break", **files)
    with pytest.raises(SystemExit):
        check(monkeypatch, "--last", "1")
    assert reason in capsys.readouterr().out


def test_commit_that_git_does_not_know_is_refused_with_one_line(project, monkeypatch):
    with pytest.raises(SystemExit, match="name a commit that it knows"):
        check(monkeypatch, "--since", "origin/nowhere")
