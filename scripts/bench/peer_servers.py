"""Start the peers: the same service in Node.js, as it was and tuned, and in FastAPI."""

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from scripts.bench.backlog import jobs_waiting
from scripts.bench.seed import Say
from scripts.bench.server import Server
from scripts.stack.ports import free_port
from scripts.stack.programs import Place, start, wait_until_ready
from scripts.stack.servers import HOST, Valkey

SOURCES = Path(__file__).resolve().parent / "peers"
ORIGINAL, TUNED, FASTAPI = "original", "tuned", "FastAPI"


@dataclass(frozen=True, slots=True)
class Peer:
    """A web server and a worker, the logical database of Redis between them, and the file that `make` leaves last."""

    name: str
    web: str
    worker: str
    redis_database: int
    installed: str


PEERS = (
    Peer(ORIGINAL, "node original.js", "node original_worker.js", 2, "node_modules/installed"),
    Peer(TUNED, "node tuned.js", "node tuned_worker.js", 3, "node_modules/installed"),
    Peer(
        FASTAPI,
        f"uvicorn fastapi_app:app --workers 2 --no-access-log --host {HOST} --port $PORT",
        "arq fastapi_worker.WorkerSettings",
        4,
        "venv/installed",
    ),
)


def start_peers(
    stack: ExitStack, folder: Path, environment: Mapping[str, str], valkey: Valkey, say: Say
) -> dict[str, Server]:
    """Start the peers that `make bench` could install, and say which ones it could not."""
    place = folder / "peers"
    path = f"{place}/venv/bin{os.pathsep}{environment.get('PATH', os.defpath)}"
    started: dict[str, Server] = {}
    for peer in PEERS:
        if not (place / peer.installed).exists():
            say(f"Left out: {peer.name} is not installed: `make bench-peers` says why.")
            continue
        url = valkey.url_for(peer.redis_database)
        home = Place(place, {**environment, "NODE_ENV": "production", "PATH": path, "REDIS_URL": url}, folder)
        worker = start(stack, f"{peer.name} worker", peer.worker, home)
        web = start(stack, peer.name, peer.web, home, free_port())
        wait_until_ready(web, "/health")
        started[peer.name] = Server(web, worker, partial(jobs_waiting, url))
    return started
