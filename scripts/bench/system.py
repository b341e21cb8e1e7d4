"""Start what is measured: PostgreSQL, Valkey, web and worker as the Procfile has them, and the limits beside them."""

import os
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import redis

from scripts import processes
from scripts.bench.errors import BenchError
from scripts.bench.seed import Say, Sizes, prepare_database
from scripts.ports import free_port
from scripts.servers import HOST, Postgres, Valkey

ROOT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 60.0
STOP_SECONDS = 7.0
POLL_SECONDS = 0.1
APPLICATION = "wsgi:app"
QUEUE = "rq:queue:emails"
# Any number of threads may be tried; each has a connection. All else is as durable as it comes.
POSTGRES_SETTINGS = {"max_connections": "500"}

API, BARE_FLASK, BARE_WSGI = "the API", "bare Flask", "bare WSGI"
WEB_SERVERS = {
    API: (APPLICATION, "/health"),
    BARE_FLASK: ("scripts.bench.limits:bare_flask", "/"),
    BARE_WSGI: ("scripts.bench.limits:bare_wsgi", "/"),
}


@dataclass(frozen=True, slots=True)
class Program:
    """A running process: a web server or the worker."""

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
class System:
    """Everything that runs during a measurement."""

    web: Mapping[str, Program]
    worker: Program
    postgres: Postgres
    valkey: Valkey
    database_url: str

    def check(self) -> None:
        """Raise BenchError if something runs no more."""
        for program in (*self.web.values(), self.worker):
            program.check()

    def backlog(self) -> int:
        """Return how many e-mails and jobs the worker has not come to yet."""
        connection = psycopg2.connect(self.database_url)
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM emails WHERE status = 'pending'")
                row = cursor.fetchone()
        finally:
            connection.close()
        with redis.Redis.from_url(self.valkey.url) as client:
            jobs = client.llen(QUEUE)
        return max(row[0] if row else 0, int(jobs))


def start_system(stack: ExitStack, folder: Path, sizes: Sizes, say: Say) -> System:
    """Start everything, ready to be asked; the stack stops it."""
    say("Starting PostgreSQL and Valkey ...")
    postgres = stack.enter_context(Postgres(folder / "postgres", settings=POSTGRES_SETTINGS))
    valkey = stack.enter_context(Valkey(folder / "valkey"))
    environment = {
        **os.environ,
        # Commands such as gunicorn and rq are looked up on the path.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "APP_ENV": "production",
        "JWT_SECRET": secrets.token_urlsafe(48),
        "REDIS_URL": valkey.url,
        "EMAIL_PROVIDER": "mock",
        "EMAIL_MOCK_DELAY": "0",
        "EMAIL_MOCK_FOLDER": "",
        # Far above what a worker can do. The highest value allowed makes its first statement outlast its time-out.
        "EMAIL_RATE_LIMIT": "100000",
    }
    database_url = prepare_database(postgres, sizes, environment, say)
    environment["DATABASE_URL"] = database_url
    say("Starting web and worker ...")
    commands = read_procfile()
    worker = start(stack, "worker", commands["worker"], folder, environment)
    web = {
        name: start(stack, name, commands["web"].replace(APPLICATION, application), folder, environment, free_port())
        for name, (application, _) in WEB_SERVERS.items()
    }
    for name, (_, path) in WEB_SERVERS.items():
        wait_until_ready(web[name], path)
    return System(web, worker, postgres, valkey, database_url)


def read_procfile() -> dict[str, str]:
    """Return the commands of the Procfile."""
    lines = (line.partition(":") for line in (ROOT / "Procfile").read_text().splitlines())
    commands = {name: command.strip() for name, _, command in lines}
    if APPLICATION not in commands.get("web", "") or "worker" not in commands:
        raise BenchError(f"The Procfile has no web process that serves {APPLICATION}, or no worker.")
    return commands


def start(
    stack: ExitStack, name: str, command: str, folder: Path, environment: Mapping[str, str], port: int = 0
) -> Program:
    """Start a command of the Procfile, on the loopback interface only."""
    log = folder / f"{name.replace(' ', '_')}.log"
    if port:
        environment = {**environment, "PORT": str(port), "GUNICORN_CMD_ARGS": f"--bind={HOST}:{port}"}
    with log.open("w") as output:
        process = processes.start(
            ["/bin/sh", "-c", f"exec {command}"], folder=ROOT, output=output, environment=environment
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
