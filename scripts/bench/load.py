"""Let 32 clients, or however many, ask one server for a while: with wrk, or with the built-in load generator."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.stack.errors import StackError

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PATIENCE_SECONDS = 30
BUILT_IN = "built-in, in Python: it takes more of the cores that it shares with the servers than wrk would"
# For a server that gave no answer at all in its turn.
SLOW_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Load:
    """What the clients have seen: answers, answers that were no 2xx or never came, and how long they took."""

    requests: int
    errors: int
    seconds: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class LoadGenerator:
    """Sends requests over keep-alive connections; its file of requests is written anew for each run."""

    clients: int
    file: Path
    # None: the built-in one. (Of oha and its like each run has one token and one body: no use here.)
    wrk: str | None

    def describe(self) -> str:
        """Say which load generator this is."""
        return "wrk, one thread, on the same cores as the servers" if self.wrk else BUILT_IN

    def run(self, port: int, requests: Sequence[bytes], seconds: float) -> Load:
        """Send the requests in turn, as fast as they are answered."""
        self.file.write_bytes(b"\0".join(requests))
        command = self._wrk(port, seconds) if self.wrk else self._built_in(port, seconds)
        limit = seconds + PATIENCE_SECONDS
        try:
            result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=limit, check=False)
        except subprocess.TimeoutExpired:
            raise StackError(f"The load generator did not end within {limit:.0f} s.") from None
        if result.returncode:
            raise StackError(f"The load generator failed: {(result.stderr or result.stdout).strip()[-300:]}")
        load = Load(**json.loads(result.stdout.splitlines()[-1]))
        if load.requests:
            return load
        if seconds < SLOW_SECONDS:
            return self.run(port, requests, SLOW_SECONDS)
        raise StackError(f"None of {self.clients} clients got an answer within {seconds:g} s.")

    def _wrk(self, port: int, seconds: float) -> list[str]:
        # wrk takes whole seconds.
        return [
            *(str(self.wrk), "--threads", "1", "--connections", str(self.clients), "--duration", f"{seconds:.0f}s"),
            *("--timeout", "10s", "--script", str(HERE / "requests.lua"), f"http://127.0.0.1:{port}"),
            *("--", str(self.file)),
        ]

    def _built_in(self, port: int, seconds: float) -> list[str]:
        numbers = (str(port), str(self.clients), str(seconds))
        return [sys.executable, "-m", "scripts.bench.client", *numbers, str(self.file)]


def find_load_generator(clients: int, folder: Path, *, built_in: bool) -> LoadGenerator:
    """Return a load generator: wrk if the machine has it and nobody objects."""
    return LoadGenerator(clients, folder / "requests", None if built_in else shutil.which("wrk"))
