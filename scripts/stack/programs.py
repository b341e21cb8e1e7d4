"""Start programs and wait until they are ready; run others to their end."""

import os
import re
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from scripts.stack import processes
from scripts.stack.errors import StackError
from scripts.stack.servers import HOST

START_SECONDS = 60.0
STOP_SECONDS = 7.0
POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Program:
    """A running process: a web server or a worker."""

    name: str
    log: Path
    process: subprocess.Popen[str]
    port: int = 0

    def check(self) -> None:
        """Raise StackError if it runs no more."""
        if self.process.poll() is not None:
            last = self.log.read_text(errors="replace").strip().splitlines()[-1:]
            said = last[0] if last else "it said nothing"
            raise StackError(f"The process of {self.name} ended with {self.process.returncode}: {said} ({self.log})")


@dataclass(frozen=True, slots=True)
class Place:
    """Where programs run: their folder, their environment, and the folder that their logs go to."""

    folder: Path
    environment: Mapping[str, str]
    logs: Path

    def having(self, **settings: str) -> Self:
        """Return the same place with more settings."""
        return replace(self, environment={**self.environment, **settings})


def start(stack: ExitStack, name: str, command: str, place: Place, port: int = 0) -> Program:
    """Start a command of a shell, on the loopback interface only; the stack ends it."""
    log = place.logs / f"{re.sub(r'[^A-Za-z0-9.]+', '_', name)}.log"
    environment = dict(place.environment)
    if port:
        environment |= {"PORT": str(port), "GUNICORN_CMD_ARGS": f"--bind={HOST}:{port}"}
    with log.open("w") as output:
        process = processes.start_command(command, folder=place.folder, output=output, environment=environment)
    stack.callback(processes.end, [process.pid], STOP_SECONDS)
    return Program(name, log, process, port)


def answers(url: str) -> bool:
    """Tell whether a web server of our own answers with success."""
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310  our own address
            return True
    except (urllib.error.URLError, OSError):
        return False


def wait_until_ready(program: Program, path: str) -> None:
    """Wait until a web server answers."""
    wait_until(program, lambda: answers(f"http://{HOST}:{program.port}{path}"))


def wait_until(program: Program, is_ready: Callable[[], bool]) -> None:
    """Wait until a program is ready; raise StackError if it ends or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while not is_ready():
        program.check()
        if time.monotonic() > deadline:
            raise StackError(f"{program.name} is not ready after {START_SECONDS:.0f} s.")
        time.sleep(POLL_SECONDS)


def run(command: Sequence[str], folder: Path, failure: str, environment: Mapping[str, str] = os.environ) -> None:
    """Run a command to its end; raise StackError with the last that it said if it fails."""
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        raise StackError(f"{failure}: {(result.stderr or result.stdout).strip()[-300:]}")
