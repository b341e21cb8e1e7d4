"""Tests of the environment that a start makes, adds to and repairs."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import eventually

ROOT = Path(__file__).resolve().parents[1]
RUN, REQUIREMENTS = "requirements-run.txt", "requirements-dev.txt"
PATIENCE = 240


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy what makes an environment, with nothing to install into it."""
    (tmp_path / "scripts/stack").mkdir(parents=True)
    shutil.copy(ROOT / "scripts/dev.py", tmp_path / "scripts")
    (tmp_path / "scripts/stack/local.py").write_text("print('running')\n")
    for name in (RUN, REQUIREMENTS):
        (tmp_path / name).write_text(f"# {name}\n")
    return tmp_path


@pytest.fixture
def without_uv(tmp_path: Path) -> str:
    """Return a search path on which nothing is, so that pip installs."""
    (tmp_path / "bin").mkdir()
    return f"{tmp_path}/bin"


@pytest.fixture
def path(checkout: Path, without_uv: str) -> str:
    """Return a search path with an installer that makes an environment in no time."""
    uv = checkout / "bin/uv"
    uv.write_text(f"""#!/bin/sh
case "$1" in
venv) shift $(($# - 1)) && exec {sys.executable} -m venv --clear --without-pip "$1" ;;
*) for file; do :; done && ! /bin/grep -q == "$file" ;;
esac
""")
    uv.chmod(0o755)
    return without_uv


def develop(checkout: Path, path: str, command: str = "setup") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, checkout / "scripts/dev.py", command],
        env={"PATH": path, "HOME": os.environ["HOME"]},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def installs(result: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the files that a successful start installed."""
    assert result.returncode == 0, result.stdout + result.stderr
    return [line.split()[1] for line in result.stdout.splitlines() if line.startswith("Installing ")]


def test_run_installs_what_it_needs_and_setup_adds_the_rest(checkout: Path, without_uv: str):
    path = without_uv
    assert installs(develop(checkout, path, "run")) == [RUN]
    mark = checkout / ".venv/mark"
    mark.touch()
    assert installs(develop(checkout, path, "run")) == []
    assert installs(develop(checkout, path)) == [REQUIREMENTS]
    assert installs(develop(checkout, path)) == []
    assert installs(develop(checkout, path, "run")) == []
    assert mark.exists()


def test_pip_adds_to_what_uv_has_made(checkout: Path, path: str):
    assert installs(develop(checkout, path, "run")) == [RUN]
    mark = checkout / ".venv/mark"
    mark.touch()
    (checkout / "bin/uv").unlink()
    assert installs(develop(checkout, path)) == [REQUIREMENTS]
    assert mark.exists()


def cut(environment: Path):
    """Leave what a start leaves that is killed while it installs."""
    (environment / "installed").unlink()
    shutil.rmtree(environment / "lib")


def lose_python(environment: Path):
    (environment / "bin/python").unlink()


def lose_base(environment: Path):
    """Leave what an environment is whose Python was removed."""
    for link in (environment / "bin").glob("python*"):
        link.unlink()
        link.symlink_to("/nowhere/python3")


def spoil_python(environment: Path):
    lose_python(environment)
    (environment / "bin/python").write_text("no program")
    (environment / "bin/python").chmod(0o755)


def outdate(environment: Path):
    (environment / "installed").write_text("other packages")


def empty(environment: Path):
    shutil.rmtree(environment)
    environment.mkdir()


@pytest.mark.parametrize("damage", [cut, lose_python, lose_base, spoil_python, outdate, empty])
@pytest.mark.parametrize("command", ["run", "setup"])
def test_environment_that_is_not_whole_is_made_anew(checkout: Path, path: str, damage, command: str):
    file = {"run": RUN, "setup": REQUIREMENTS}[command]
    assert installs(develop(checkout, path, command)) == [file]
    mark = checkout / ".venv/mark"
    mark.touch()
    damage(checkout / ".venv")
    assert installs(develop(checkout, path, command)) == [file]
    assert not mark.exists()
    assert installs(develop(checkout, path, command)) == []


def test_failure_to_add_the_rest_leaves_what_runs(checkout: Path, path: str):
    assert installs(develop(checkout, path, "run")) == [RUN]
    # Without a hash: both installers refuse it.
    (checkout / REQUIREMENTS).write_text("pytest==9.2.0\n")
    failed = develop(checkout, path)
    assert (failed.returncode, "uv failed, so pip has a try" in failed.stdout) == (1, True)
    assert failed.stderr.splitlines()[-1] == "The packages could not be installed: the reason stands above."
    assert installs(develop(checkout, path, "run")) == []


def test_installer_that_outlives_a_killed_start_is_waited_for(checkout: Path, path: str):
    os.mkfifo(checkout / "pause")
    installer = checkout / "bin/uv"
    usual = installer.read_text()
    # It opens the pause to write and so waits for the test to read.
    installer.write_text(f"#!/bin/sh\n: > {checkout}/started\necho > {checkout}/pause\n")
    start = subprocess.Popen([sys.executable, checkout / "scripts/dev.py", "setup"], env={"PATH": path})
    folder = os.open(checkout, os.O_RDONLY)
    try:
        eventually((checkout / "started").exists, within=PATIENCE)
        start.send_signal(signal.SIGKILL)
        start.wait(PATIENCE)
        assert is_locked(folder)
        assert not (checkout / ".venv/installed").exists()
        (checkout / "pause").read_text()
        eventually(lambda: not is_locked(folder))
    finally:
        os.close(folder)
    installer.write_text(usual)
    assert installs(develop(checkout, path)) == [REQUIREMENTS]


def is_locked(folder: int) -> bool:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(folder, fcntl.LOCK_UN)
    return False
