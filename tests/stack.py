"""The real thing: gunicorn and `rq worker` as the Procfile starts them, spoken to over HTTP."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from types import MappingProxyType
from typing import Any

import orjson
import psutil
import requests
from werkzeug import Response

from scripts.stack import processes
from scripts.stack.ports import free_port
from scripts.stack.procfile import read_procfile
from tests.client import Client
from tests.people import Person
from tests.waiting import eventually

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
START_SECONDS = 30.0
STOP_SECONDS = 25.0


@dataclass
class Process:
    """A process of the Procfile."""

    popen: Popen[str]
    log: Path

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self.popen.pid

    @property
    def output(self) -> str:
        """Return what it has said so far."""
        return self.log.read_text(errors="replace")

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Return what it has logged so far, as objects."""
        return [orjson.loads(line) for line in self.output.splitlines() if line.startswith("{") and line.endswith("}")]

    @property
    def is_alive(self) -> bool:
        """Tell whether it still runs."""
        return self.popen.poll() is None

    @property
    def family(self) -> list[psutil.Process]:
        """Return it and all its descendants."""
        return processes.family(self.pid)

    def stop(self, *, within: float = STOP_SECONDS) -> int:
        """Ask it to end as a platform does, and return its exit code."""
        self.popen.terminate()
        try:
            return self.popen.wait(within)
        except TimeoutExpired:
            raise AssertionError(f"did not end within {within:g} s:\n{self.output}") from None


class Browser:
    """Speaks HTTP, and looks like Flask's test client to tests/client.py; threads may share it."""

    def __init__(self, url: str, *, patience: float = 15.0) -> None:
        self.url = url
        self.patience = patience

    def open(self, path: str, *, method: str, headers: dict[str, str], **options: Any) -> Response:
        """Send a request over a connection of its own."""
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(
                method, self.url + path, headers=headers, timeout=self.patience, allow_redirects=False, **options
            )
        kept = [(name, value) for name, value in answer.headers.items() if name.lower() != "transfer-encoding"]
        return Response(answer.content, answer.status_code, kept)


@dataclass
class Stack:
    """What runs, and how to speak with it."""

    url: str
    processes: dict[str, Process] = field(default_factory=dict)

    @property
    def web(self) -> Process:
        """Return the web process."""
        return self.processes["web"]

    @property
    def worker(self) -> Process:
        """Return the worker."""
        return self.processes["worker"]

    @property
    def client(self) -> Client:
        """Return somebody who is not signed in."""
        return Client(Browser(self.url))

    def register(self, name: str) -> Person:
        """Return a new person, signed in."""
        return Person(self.client, name)

    def words(self) -> str:
        """Return all that was said, for the message of a failure."""
        return "\n".join(f"--- {name}\n{process.output}" for name, process in self.processes.items())


@contextmanager
def running(
    folder: Path,
    *,
    database_url: str,
    redis_url: str,
    names: Iterable[str] = ("web", "worker"),
    instead: Mapping[str, str] = MappingProxyType({}),
    root: Path = ROOT,
    **settings: object,
) -> Iterator[Stack]:
    """Run processes of the Procfile in production until the block ends; a healthy API is waited for.

    Their output goes into `folder`; `settings` are more environment variables, `instead` are commands in the place of
    the Procfile's. `root` is the folder of another release.
    """
    port = free_port()
    environment = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ} | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONUNBUFFERED": "1",
        "APP_ENV": "production",
        "PORT": str(port),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "JWT_SECRET": "a secret for tests, long enough to be one",
        "BCRYPT_ROUNDS": "4",
        "EMAIL_RATE_LIMIT": "1000",
        **{name: str(value) for name, value in settings.items()},
    }
    stack = Stack(f"http://{HOST}:{port}")
    try:
        for name in names:
            stack.processes[name] = start(name, folder, environment, instead.get(name), root)
        if "web" in stack.processes:
            eventually(lambda: _is_healthy(stack), within=START_SECONDS, saying=stack.words)
        yield stack
    finally:
        kill(stack.processes.values())


def start(
    name: str, folder: Path, environment: dict[str, str], command: str | None = None, root: Path = ROOT
) -> Process:
    """Start one process of the Procfile; its output continues the one of an earlier process of that name."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{name}.log"
    with log.open("ab") as output:
        command = command or read_procfile(root)[name]
        return Process(processes.start_command(command, folder=root, output=output, environment=environment), log)


def kill(started: Iterable[Process]) -> None:
    """Leave nothing behind, not even children whose parent is gone."""
    for process in started:
        members = process.family
        processes.send(members, psutil.signal.SIGKILL)
        process.popen.wait()
        psutil.wait_procs(members, timeout=STOP_SECONDS)


def _is_healthy(stack: Stack) -> bool:
    assert stack.web.is_alive, stack.words()
    try:
        return stack.client.get("//health").status_code == 200
    except requests.ConnectionError:
        return False
