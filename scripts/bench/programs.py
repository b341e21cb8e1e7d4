"""Start programs that are measured, and run those that prepare a measurement."""

import os
import re
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from scripts.bench.errors import BenchError
from scripts.stack import processes
from scripts.stack.servers import HOST

ROOT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 60.0
STOP_SECONDS = 7.0
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Program:
    """A running process: a web server or a worker."""

    name: str
    log: Path
    process: subprocess.Popen[str]
    port: int = 0

    def check(self) -> None:
        """Raise BenchError if it runs no more."""
        if self.process.poll() is not None:
            last = self.log.read_text(errors="replace").strip().splitlines()[-1:]
            said = last[0] if last else "it said nothing"
            raise BenchError(f"The process of {self.name} ended with {self.process.returncode}: {said} ({self.log})")


@dataclass(frozen=True, slots=True)
class Place:
    """Where programs run: their folder, their environment, and the folder that their logs go to."""

    folder: Path
    environment: Mapping[str, str]
    logs: Path


def start(stack: ExitStack, name: str, command: str, place: Place, port: int = 0) -> Program:
    """Start a command of a shell, on the loopback interface only; the stack ends it."""
    log = place.logs / f"{re.sub(r'[^A-Za-z0-9.]+', '_', name)}.log"
    environment = dict(place.environment)
    if port:
        environment |= {"PORT": str(port), "GUNICORN_CMD_ARGS": f"--bind={HOST}:{port}"}
    with log.open("w") as output:
        process = processes.start(
            ["/bin/sh", "-c", f"exec {command}"], folder=place.folder, output=output, environment=environment
        )
    stack.callback(processes.end, [process.pid], STOP_SECONDS)
    return Program(name, log, process, port)


def wait_until_ready(program: Program, path: str) -> None:
    """Wait until a web server answers."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        program.check()
        try:
            with urllib.request.urlopen(f"http://{HOST}:{program.port}{path}", timeout=2):
                return
        except (urllib.error.URLError, OSError) as error:
            if time.monotonic() > deadline:
                raise BenchError(f"{program.name} is not ready after {START_SECONDS:.0f} s: {error}") from None
        time.sleep(POLL_SECONDS)


def run(command: Sequence[str], folder: Path, failure: str, environment: Mapping[str, str] = os.environ) -> None:
    """Run a command to its end; raise BenchError with the last that it said if it fails."""
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        raise BenchError(f"{failure}: {(result.stderr or result.stdout).strip()[-300:]}")
