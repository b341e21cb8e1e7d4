"""Start what is measured: PostgreSQL, Valkey, web and worker as the Procfile has them, and all that is beside them."""

import os
import secrets
import shutil
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from scripts.bench.backlog import work_waiting
from scripts.bench.peer_servers import start_peers
from scripts.bench.seed import AGAINST, Say, Sizes, prepare_database, tidy_up
from scripts.bench.server import Server
from scripts.stack.errors import StackError
from scripts.stack.ports import free_port
from scripts.stack.procfile import ROOT, read_procfile
from scripts.stack.programs import Place, Program, start, wait_until_ready
from scripts.stack.revision import check_out
from scripts.stack.servers import Postgres, Valkey

APPLICATION = "wsgi:app"
# Any number of threads may be tried; each has a connection. All else is as durable as it comes.
POSTGRES_SETTINGS = {"max_connections": "500"}
AGAINST_REDIS = 1

API, BARE_FLASK, BARE_WSGI = "the API", "bare Flask", "bare WSGI"
LIMITS = {BARE_FLASK: "scripts.bench.limits:bare_flask", BARE_WSGI: "scripts.bench.limits:bare_wsgi"}


@dataclass(frozen=True, slots=True)
class Rivals:
    """What the API is compared with: its peers, another revision, itself under other web servers."""

    peers: bool = False
    against: str | None = None
    commands: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class System:
    """Everything that runs during a measurement; each database bears the name of the servers that use it."""

    servers: Mapping[str, Server]
    postgres: Postgres
    valkey: Valkey
    databases: Mapping[str, str]

    @property
    def database_url(self) -> str:
        """Return the address of the database that all but another revision use."""
        return self.databases[API]

    @property
    def web(self) -> Mapping[str, Program]:
        """Return the web servers by name."""
        return {name: server.web for name, server in self.servers.items()}

    @property
    def worker(self) -> Program:
        """Return the worker of the API."""
        worker = self.servers[API].worker
        if worker is None:
            raise StackError("The API has no worker.")
        return worker

    def check(self) -> None:
        """Raise StackError if something runs no more."""
        for server in self.servers.values():
            server.check()

    def backlog(self) -> int:
        """Return how much work the workers have not come to yet."""
        return sum(server.waiting() for server in self.servers.values())


def start_system(stack: ExitStack, folder: Path, sizes: Sizes, say: Say, rivals: Rivals | None = None) -> System:
    """Start everything, ready to be asked; the stack stops it."""
    rivals = rivals or Rivals()
    roots = [ROOT]
    if rivals.against:
        shutil.rmtree(folder / "against", ignore_errors=True)
        stack.callback(shutil.rmtree, folder / "against", ignore_errors=True)
        roots.append(check_out(rivals.against, folder / "against"))
    say("Starting PostgreSQL and Valkey ...")
    postgres = stack.enter_context(Postgres(folder / "postgres", settings=POSTGRES_SETTINGS))
    valkey = stack.enter_context(Valkey(folder / "valkey"))
    tidy_up(postgres, roots)
    place = Place(ROOT, shared_environment(valkey.url), folder)
    databases = {API: prepare_database(postgres, sizes, place, read_procfile(ROOT)["worker"], say)}
    say("Starting web and worker ...")
    place = place.having(DATABASE_URL=databases[API])
    servers = start_project(stack, API, place)
    web = read_procfile()["web"]
    limits = {name: web.replace(APPLICATION, application) for name, application in LIMITS.items()}
    for name, command in (*limits.items(), *rivals.commands.items()):
        servers[name] = Server(start(stack, name, command, place, free_port()), servers[API].worker)
    if rivals.against:
        # Python looks there before it looks for an installed copy of the project.
        theirs = place.having(PYTHONPATH=str(roots[1]), REDIS_URL=valkey.url_for(AGAINST_REDIS))
        theirs = replace(theirs, folder=roots[1])
        worker = read_procfile(roots[1])["worker"]
        stack.callback(tidy_up, postgres, roots)
        databases[rivals.against] = prepare_database(postgres, sizes, theirs, worker, say, AGAINST)
        servers |= start_project(stack, rivals.against, theirs.having(DATABASE_URL=databases[rivals.against]))
    for name, server in servers.items():
        wait_until_ready(server.web, "/" if name in LIMITS else "/health")
    if rivals.peers:
        servers |= start_peers(stack, folder, place.environment, valkey, say)
    return System(servers, postgres, valkey, databases)


def shared_environment(redis_url: str) -> dict[str, str]:
    """Return the settings that all programs share, whoever's they are."""
    return {
        **os.environ,
        # Commands such as gunicorn and rq are looked up on the path.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "APP_ENV": "production",
        "JWT_SECRET": secrets.token_urlsafe(48),
        "REDIS_URL": redis_url,
        "EMAIL_PROVIDER": "mock",
        "EMAIL_MOCK_DELAY": "0",
        "EMAIL_MOCK_FOLDER": "",
        # Far above what a worker can do.
        "EMAIL_RATE_LIMIT": "1000000",
    }


def start_project(stack: ExitStack, name: str, place: Place) -> dict[str, Server]:
    """Start web and worker as the Procfile of a revision has them."""
    commands = read_procfile(place.folder)
    worker = start(stack, "worker" if name == API else f"{name} worker", commands["worker"], place)
    web = start(stack, name, commands["web"], place, free_port())
    addresses = place.environment["DATABASE_URL"], place.environment["REDIS_URL"]
    return {name: Server(web, worker, lambda: work_waiting(*addresses))}
