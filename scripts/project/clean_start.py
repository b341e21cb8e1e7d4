"""Prove that a clean clone starts with nothing but what Python brings along, and leaves nothing running.

Clones the last commit into a temporary folder, hides uv and every cache, runs `make run` until the first answer 201,
sends SIGTERM and looks for what is left. Then installs requirements.txt in a platform's way: with pip alone.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
import requests

from scripts.dev import base_python
from scripts.stack import processes
from scripts.stack.ports import free_port, port_is_free

ROOT = Path(__file__).resolve().parents[2]
# Bounds and not waits: the times are printed.
START_SECONDS, STOP_SECONDS = 300.0, 30.0
# Settings of this machine's person that would help the start along or lead it elsewhere.
HELPFUL = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "DATABASE_URL", "REDIS_URL")
PERSON = {"name": "Alice", "email": "alice@example.com", "password": "correct horse"}


def main() -> None:
    """Say how long each step takes, and fail with the reason in one line."""
    with tempfile.TemporaryDirectory(prefix="clean-start-") as name:
        folder = Path(name)
        environment = bare_environment(folder)
        clone = folder / "scheduling"
        with timed("git clone"):
            run(["git", "clone", "--quiet", str(ROOT), str(clone)], folder, environment)
        start_and_stop(clone, environment)
        with timed("pip install -r requirements.txt, as a platform does"):
            install_as_a_platform(clone, folder / "deployment", environment)


def bare_environment(folder: Path) -> dict[str, str]:
    """Return an environment in which there is no uv and no cache; pip's own configuration counts as it is."""
    environment = {name: value for name, value in os.environ.items() if name not in HELPFUL}
    path = [without_uv(Path(part), folder) for part in os.environ.get("PATH", os.defpath).split(os.pathsep)]
    environment |= {"PATH": os.pathsep.join(path), "PIP_NO_CACHE_DIR": "1"}
    if shutil.which("uv", path=environment["PATH"]):
        sys.exit("clean start: uv is still found.")
    return environment


def without_uv(part: Path, folder: Path) -> str:
    """Return a folder of programs, or one with all of its programs but uv."""
    if not (part / "uv").exists():
        return str(part)
    mirror = Path(tempfile.mkdtemp(prefix="programs-", dir=folder))
    for program in part.iterdir():
        if program.name != "uv":
            (mirror / program.name).symlink_to(program)
    return str(mirror)


def start_and_stop(clone: Path, environment: Mapping[str, str]) -> None:
    """Run the clone until a person is registered, stop it, and look for what is left."""
    port = free_port()
    command = ["make", "run", f"PYTHON={base_python()}"]
    with (clone / "output").open("w") as output:
        make = subprocess.Popen(
            command,
            cwd=clone,
            env={**environment, "PORT": str(port)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        with timed("make run, to the first 201"):
            wait_for_first_201(make, port)
        members = processes.family(make.pid)
        with timed("SIGTERM, until all has ended"):
            make.send_signal(signal.SIGTERM)
            _, alive = psutil.wait_procs(members, timeout=STOP_SECONDS)
        left = [process for process in {*alive, *inside(clone)} if process.is_running()]
        if left or not port_is_free(port):
            raise RuntimeError(f"left behind: {left or f'a listener on port {port}'}")
    except RuntimeError as error:
        sys.exit(f"clean start: {error}\n{(clone / 'output').read_text()}")
    finally:
        processes.send([*processes.family(make.pid), *inside(clone)], signal.SIGKILL)


def wait_for_first_201(make: subprocess.Popen[bytes], port: int) -> None:
    """Register a person as soon as that is possible."""
    deadline = time.monotonic() + START_SECONDS
    while make.poll() is None and time.monotonic() < deadline:
        try:
            answer = requests.post(f"http://127.0.0.1:{port}/api/v1/auth/register", json=PERSON, timeout=5)
        except requests.RequestException:
            time.sleep(0.1)
            continue
        if answer.status_code == requests.codes.created:
            return
        raise RuntimeError(f"the first answer is {answer.status_code}: {answer.text}")
    raise RuntimeError(f"no answer, and make's exit code is {make.poll()}")


def inside(folder: Path) -> list[psutil.Process]:
    """Return the processes that work in a folder or were started from it."""
    return [
        process
        for process in psutil.process_iter(["cwd", "cmdline"])
        if any(str(folder) in (part or "") for part in (process.info["cwd"], *(process.info["cmdline"] or [])))
    ]


def install_as_a_platform(clone: Path, place: Path, environment: Mapping[str, str]) -> None:
    """Install what a deployment needs with the pip that Python brings along, which may resolve as it likes."""
    run([base_python(), "-m", "venv", str(place)], clone, environment)
    options = ["--quiet", "--disable-pip-version-check", "-r", "requirements.txt"]
    run([f"{place}/bin/pip", "install", *options], clone, environment)
    run([f"{place}/bin/pip", "check"], clone, environment)


def run(command: list[str], folder: Path, environment: Mapping[str, str]) -> None:
    """Run a command, and stop everything if it fails."""
    if code := subprocess.run(command, cwd=folder, env=environment, check=False).returncode:
        sys.exit(f"clean start: {' '.join(command[:3])} ended with exit code {code}.")


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how long something took."""
    began = time.monotonic()
    yield
    print(f"{time.monotonic() - began:6.1f} s  {what}", flush=True)


if __name__ == "__main__":
    main()
