"""Tests of what a developer types: setup, run and test."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import requests

from scripts.dev import fingerprint
from scripts.stack.ports import free_port

ROOT = Path(__file__).resolve().parent.parent
PARTS = (
    "scheduling",
    "jobs",
    "sql",
    "scripts",
    "wsgi.py",
    "gunicorn.conf.py",
    "Procfile",
    "requirements-run.txt",
    "requirements-dev.txt",
)
# A bound and not a wait: on a busy machine, making an environment alone can take a minute.
PATIENCE = 240
STOP_PATIENCE = 30


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy what it takes to run the project."""
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path)
    return tmp_path


@pytest.fixture
def installed(checkout: Path) -> Path:
    """Lend the checkout the packages that run this test."""
    environment = checkout / ".venv"
    environment.mkdir()
    for part in Path(sys.prefix).iterdir():
        if part.name != "installed":
            (environment / part.name).symlink_to(part)
    (environment / "installed").write_text(fingerprint(checkout / "requirements-dev.txt"))
    return checkout


@pytest.fixture
def port() -> int:
    return free_port()


def settings(**values: object) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return inherited | {name: str(value) for name, value in values.items()}


def develop(checkout: Path, *arguments: str, **values: object) -> subprocess.CompletedProcess[str]:
    return execute(sys.executable, str(checkout / "scripts/dev.py"), *arguments, **values)


def execute(*command: str, **values: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=settings(**values), capture_output=True, text=True, timeout=PATIENCE, check=False
    )


@contextmanager
def running(checkout: Path, port: int, **values: object) -> Iterator[subprocess.Popen[str]]:
    """Run everything until the API has been announced, and yield the process."""
    output = checkout / "output"
    with output.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, checkout / "scripts" / "dev.py", "run"],
            env=settings(PORT=port, **values),
            stdout=file,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        wait_until(lambda: "Try it" in output.read_text() or process.poll() is not None)
        assert process.poll() is None, output.read_text()
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "this took too long"
        time.sleep(0.05)


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def example_of(checkout: Path) -> str:
    lines = (checkout / "output").read_text().splitlines()
    return next(line for line in lines if "Try it" in line).split("Try it", 1)[1].strip()


def test_setup_makes_an_environment_and_says_so(checkout: Path):
    (checkout / "requirements-dev.txt").write_text("# nothing\n")
    first = develop(checkout, "setup")
    assert (first.returncode, "Installing requirements-dev.txt" in first.stdout) == (0, True), first.stderr
    assert execute(str(checkout / ".venv/bin/python"), "-c", "").returncode == 0
    again = develop(checkout, "setup")
    assert (again.returncode, again.stdout) == (0, "")


def test_setup_that_cannot_install_says_so_and_is_not_taken_for_done(checkout: Path):
    (checkout / "requirements-dev.txt").write_text("pytest==9.2.0\n")
    failed = develop(checkout, "setup")
    assert failed.returncode == 1
    assert failed.stderr.splitlines()[-1] == "The packages could not be installed: the reason stands above."
    assert not (checkout / ".venv/installed").exists()


def test_setup_leaves_a_complete_environment_alone(installed: Path):
    ready = develop(installed, "setup")
    assert (ready.returncode, ready.stdout) == (0, "")


def test_tests_are_run_with_the_arguments_given(installed: Path):
    (installed / "test_one.py").write_text("def test_this(): pass\ndef test_that(): pass\n")
    result = develop(installed, "test", "-k", "this", "test_one.py", "-q")
    assert result.returncode == 0, result.stdout
    assert "1 passed, 1 deselected" in result.stdout


def test_taken_port_is_refused_with_one_line(installed: Path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        refused = develop(installed, "run", PORT=taken)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.splitlines() == [
        f"make run: port {taken} is taken or forbidden: choose another one, as in PORT=3001 make run."
    ]


@pytest.mark.parametrize(("setting", "highest"), [("PORT", 65535), ("WEB_CONCURRENCY", 256)])
@pytest.mark.parametrize("value", ["many", "0", "65536", "-1", "٣"])
def test_number_out_of_range_is_refused_with_one_line(installed: Path, setting: str, highest: int, value: str):
    refused = develop(installed, "run", **{"PORT": free_port(), setting: value})
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.splitlines() == [
        f"make run: {setting} must be a number from 1 to {highest}, and is {value!r}."
    ]


@pytest.mark.parametrize("setting", ["JWT_EXPIRES_DAYS", "WEB_THREADS", "EMAIL_RATE_LIMIT"])
def test_bad_setting_ends_the_run_with_a_line_that_names_it(
    installed: Path, port: int, database_url: str, redis_url: str, setting: str
):
    values = {"PORT": port, "DATABASE_URL": database_url, "REDIS_URL": redis_url, setting: "many"}
    refused = develop(installed, "run", **values)
    assert refused.returncode == 1
    assert [line for line in refused.stdout.splitlines() if setting in line]
    assert "Traceback" not in refused.stdout + refused.stderr


def test_database_that_is_not_there_is_refused_without_a_traceback(installed: Path, port: int, redis_url: str):
    nowhere = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    refused = develop(installed, "run", PORT=port, DATABASE_URL=nowhere, REDIS_URL=redis_url)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.splitlines()[-1].startswith("make run: the database could not be migrated")
    assert "Traceback" not in refused.stderr


def test_run_serves_the_api_and_its_example_can_be_pasted(installed: Path, port: int):
    (installed / ".env").write_text("PASSWORD_MIN_LENGTH=9\n")
    with running(installed, port):
        health = requests.get(f"http://127.0.0.1:{port}/health", timeout=5)
        assert (health.status_code, health.headers["Server"]) == (200, "scheduling")
        command = example_of(installed)
        answer = execute("bash", "-c", command)
        assert '"token"' in answer.stdout, answer
        refused = command.replace("correct horse", "shorter")
        answer = execute("bash", "-c", refused)
        assert "validation_error" in answer.stdout, answer
        wait_until(lambda: any((installed / ".local/mailbox").glob("*")))


def test_second_run_in_the_same_folder_is_refused_with_one_line(
    installed: Path, port: int, database_url: str, redis_url: str
):
    with running(installed, port, DATABASE_URL=database_url, REDIS_URL=redis_url) as first:
        second = develop(installed, "run", PORT=free_port())
        assert (second.returncode, second.stdout) == (1, "")
        assert second.stderr == f"make run: it is running in this folder already, as process {first.pid}.\n"


def test_data_and_tokens_outlive_a_restart(installed: Path, port: int):
    url = f"http://127.0.0.1:{port}/api/v1"
    alice = {"name": "Alice", "email": "alice@example.com", "password": "correct horse"}
    with running(installed, port):
        token = requests.post(f"{url}/auth/register", json=alice, timeout=5).json()["token"]
    with running(installed, port):
        me = requests.get(f"{url}/users/me", headers={"Authorization": f"Bearer {token}"}, timeout=5)
    assert (me.status_code, me.json()["email"]) == (200, alice["email"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_stops_everything_in_order(installed: Path, port: int, number: signal.Signals):
    with running(installed, port) as process:
        members = family(process)
        process.send_signal(number)
        assert process.wait(timeout=STOP_PATIENCE) == 0
        assert [member for member in members if member.is_running()] == []
    assert (installed / ".local/postgres/log").read_text().splitlines()[-1].endswith("database system is shut down")


def test_nothing_outlives_a_run_that_is_killed(installed: Path, port: int):
    with running(installed, port) as process:
        members = family(process)
        process.kill()
        _, alive = psutil.wait_procs(members, timeout=STOP_PATIENCE)
        assert alive == []


def test_process_that_ends_takes_the_others_along(installed: Path, port: int):
    with running(installed, port) as process:
        members = family(process)
        worker = next(member for member in members if "emails" in member.cmdline())
        worker.kill()
        assert process.wait(timeout=STOP_PATIENCE) == 1
        assert [member for member in members if member.is_running()] == []
    assert "worker ended with exit code -9" in (installed / "output").read_text()


@pytest.mark.parametrize("command", ["setup", "run", "test"])
def test_help_names_each_command(command: str):
    assert command in develop(ROOT, "--help").stdout
