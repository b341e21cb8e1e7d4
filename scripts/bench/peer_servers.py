"""Install and start the peers: the same service in Node.js, as it was and tuned, and in FastAPI."""

import os
import shutil
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from scripts.bench.backlog import jobs_waiting
from scripts.bench.seed import Say, fingerprint
from scripts.bench.server import Server
from scripts.dev import AS_LOCKED
from scripts.stack.errors import StackError
from scripts.stack.ports import free_port
from scripts.stack.programs import Place, run, start, wait_until_ready
from scripts.stack.servers import HOST, Valkey

SOURCES = Path(__file__).resolve().parent / "peers"
ORIGINAL, TUNED, FASTAPI = "original", "tuned", "FastAPI"


@dataclass(frozen=True, slots=True)
class Peer:
    """A web server and a worker, and the logical database of Redis between them."""

    name: str
    web: str
    worker: str
    redis_database: int


NODE_PEERS = (
    Peer(ORIGINAL, "node original.js", "node original_worker.js", 2),
    Peer(TUNED, "node tuned.js", "node tuned_worker.js", 3),
)
PYTHON_PEERS = (
    Peer(
        FASTAPI,
        f"uvicorn fastapi_app:app --workers 2 --no-access-log --host {HOST} --port $PORT",
        "arq fastapi_worker.WorkerSettings",
        4,
    ),
)


def start_peers(
    stack: ExitStack, folder: Path, environment: Mapping[str, str], valkey: Valkey, say: Say
) -> dict[str, Server]:
    """Start the peers that this machine can run, and say which ones it cannot."""
    started: dict[str, Server] = {}
    for peers, install in ((NODE_PEERS, install_node), (PYTHON_PEERS, install_python)):
        names = " and ".join(peer.name for peer in peers)
        try:
            say(f"Installing what is needed for {names}, unless it is there ...")
            place = install(folder, environment)
        except StackError as error:
            say(f"Left out: {names}. {error}")
            continue
        for peer in peers:
            started[peer.name] = start_peer(stack, peer, place, valkey)
    return started


def install_node(folder: Path, environment: Mapping[str, str]) -> Place:
    """Install the packages of package-lock.json beside a copy of the sources, once."""
    missing = [name for name in ("node", "npm") if shutil.which(name) is None]
    if missing:
        raise StackError(f"{' and '.join(missing)} cannot be found.")
    place = folder / "peers"
    place.mkdir(exist_ok=True)
    for source in (*SOURCES.glob("*.js"), *SOURCES.glob("package*.json")):
        shutil.copy(source, place)
    # Not ci, which refuses a lock file without those optional packages of other machines that a registry lacks.
    command = ["npm", "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"]
    once(place / "node_modules", SOURCES / "package-lock.json", [command], place, "npm could not install them")
    return Place(place, {**environment, "NODE_ENV": "production"}, folder)


def install_python(folder: Path, environment: Mapping[str, str]) -> Place:
    """Install requirements.txt into an environment of its own, once."""
    place = folder / "peers-venv"
    requirements = SOURCES / "requirements.txt"
    commands = [
        [sys.executable, "-m", "venv", "--clear", str(place)],
        [f"{place}/bin/pip", "install", "--quiet", *AS_LOCKED, "--requirement", str(requirements)],
    ]
    once(place, requirements, commands, folder, "pip could not install it")
    path = f"{place}/bin{os.pathsep}{environment.get('PATH', os.defpath)}"
    return Place(SOURCES, {**environment, "PATH": path}, folder)


def once(result: Path, pins: Path, commands: list[list[str]], folder: Path, failure: str) -> None:
    """Run commands unless they have made their result from the same pins before."""
    note = result / "installed"
    pinned = fingerprint(pins.read_text())
    if note.exists() and note.read_text() == pinned:
        return
    for command in commands:
        run(command, folder, failure)
    note.write_text(pinned)


def start_peer(stack: ExitStack, peer: Peer, place: Place, valkey: Valkey) -> Server:
    """Start both processes of a peer, ready to be asked."""
    url = valkey.url_for(peer.redis_database)
    place = replace(place, environment={**place.environment, "REDIS_URL": url})
    worker = start(stack, f"{peer.name} worker", peer.worker, place)
    web = start(stack, peer.name, peer.web, place, free_port())
    wait_until_ready(web, "/health")
    return Server(web, worker, lambda: jobs_waiting(url))
