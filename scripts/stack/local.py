"""Run PostgreSQL, Valkey, the API and the e-mail worker together until somebody stops them."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from typing import NoReturn

from dotenv import dotenv_values

from scripts.stack import processes
from scripts.stack.errors import StackError
from scripts.stack.ports import port_is_free
from scripts.stack.procfile import ROOT, read_procfile
from scripts.stack.programs import answers
from scripts.stack.running import end_strays, only_one_run, stop_in_order
from scripts.stack.servers import Postgres, Valkey, remembered_secret

LOCAL = ROOT / ".local"
MAILBOX = LOCAL / "mailbox"
STOP_SECONDS = 7.0
POLL_SECONDS = 0.2

ANNOUNCEMENT = """
  API      {url}/api/v1
  Docs     {url}/docs
  Mailbox  {mailbox}
  Try it   {example}
  Stop it  Ctrl-C
"""
EXAMPLE = """curl -X POST {url}/api/v1/auth/register -H 'Content-Type: application/json' \
-d '{{"name": "Alice", "email": "alice@example.com", "password": "correct horse"}}'"""


def main() -> None:
    """Run everything, and leave nothing running."""
    stop_in_order(leave)
    try:
        with ExitStack() as stack:
            stack.callback(end_strays)
            run(stack)
    except (StackError, OSError) as error:
        sys.exit(f"make run: {error}")


def run(stack: ExitStack) -> NoReturn:
    """Start what is needed in order, and wait until a process ends."""
    environment = {name: value for name, value in dotenv_values(ROOT / ".env").items() if value} | os.environ
    LOCAL.mkdir(mode=0o700, exist_ok=True)
    stack.enter_context(only_one_run(LOCAL))
    port = read_port(environment)
    # gunicorn reads this one before it reads our settings, and refuses it with a traceback.
    workers = read_number(environment, "WEB_CONCURRENCY", 2, highest=256)
    environment |= {"PORT": str(port), "WEB_CONCURRENCY": str(workers)}
    environment |= start_servers(stack, environment) | defaults(environment)
    if subprocess.run([sys.executable, "scripts/migrate.py"], cwd=ROOT, env=environment, check=False).returncode:
        sys.exit("make run: the database could not be migrated: the reason stands above.")
    family = start_processes(stack, environment)
    watch(family, f"http://127.0.0.1:{port}", environment)


def read_port(environment: Mapping[str, str]) -> int:
    """Return the port of the API, and refuse one that cannot be used."""
    port = read_number(environment, "PORT", 3000, highest=2**16 - 1)
    if not port_is_free(port, "0.0.0.0"):  # noqa: S104  the address that the API listens on
        sys.exit(f"make run: port {port} is taken or forbidden: choose another one, as in PORT=3001 make run.")
    return port


def read_number(environment: Mapping[str, str], name: str, default: int, highest: int) -> int:
    """Return a setting that counts from 1."""
    value = environment.get(name) or str(default)
    if not value.isascii() or not value.isdigit() or not 0 < int(value) <= highest:
        sys.exit(f"make run: {name} must be a number from 1 to {highest}, and is {value!r}.")
    return int(value)


def start_servers(stack: ExitStack, environment: Mapping[str, str]) -> dict[str, str]:
    """Start the servers that no setting points to, and return the settings that point to them."""
    found = {}
    if not environment.get("DATABASE_URL"):
        if os.geteuid() == 0:
            say("PostgreSQL refuses to run as root, so it runs as an ordinary user.")
        postgres = stack.enter_context(Postgres(LOCAL / "postgres"))
        found["DATABASE_URL"] = postgres.create_database("scheduling")
    if not environment.get("REDIS_URL"):
        found["REDIS_URL"] = stack.enter_context(Valkey(LOCAL / "valkey", persist=True)).url
    return found


def defaults(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a developer need not set."""
    values = {
        # Kept, so that a token outlives a restart.
        "JWT_SECRET": remembered_secret(LOCAL / "jwt_secret"),
        "EMAIL_MOCK_FOLDER": str(MAILBOX),
        "PYTHONUNBUFFERED": "1",
    }
    return {name: value for name, value in values.items() if not environment.get(name)}


def start_processes(stack: ExitStack, environment: Mapping[str, str]) -> dict[str, subprocess.Popen[str]]:
    """Start the web process and the worker of the Procfile, and relay what they say."""
    commands = read_procfile()
    started: dict[str, subprocess.Popen[str]] = {}
    stack.callback(lambda: processes.end([process.pid for process in started.values()], STOP_SECONDS))
    for name in ("web", "worker"):
        started[name] = processes.start_command(
            commands[name], folder=ROOT, output=subprocess.PIPE, environment=environment
        )
    for name, process in started.items():
        threading.Thread(target=relay, args=(name, process), daemon=True).start()
    return started


def relay(name: str, process: subprocess.Popen[str]) -> None:
    """Repeat the lines of a process under its name."""
    for line in process.stdout or ():
        say(f"{name:6} | {line.rstrip()}")


def watch(family: Mapping[str, subprocess.Popen[str]], url: str, environment: Mapping[str, str]) -> NoReturn:
    """Announce the API once it answers, and leave as soon as one of the processes has ended."""
    announced = False
    while True:
        for name, process in family.items():
            if process.poll() is not None:
                # Its last words may still be on their way.
                time.sleep(POLL_SECONDS)
                sys.exit(f"make run: {name} ended with exit code {process.returncode}, so everything stops.")
        if not announced and answers(f"{url}/health"):
            announced = True
            announce(url, environment)
        time.sleep(POLL_SECONDS)


def announce(url: str, environment: Mapping[str, str]) -> None:
    """Say where everything is."""
    provider = environment.get("EMAIL_PROVIDER") or "mock"
    mailbox = environment["EMAIL_MOCK_FOLDER"] if provider == "mock" else f"none, e-mail goes to {provider}"
    say(ANNOUNCEMENT.format(url=url, mailbox=mailbox, example=EXAMPLE.format(url=url)))


def leave() -> NoReturn:
    """Say that everything stops, and stop."""
    say("\nStopping ...")
    sys.exit(0)


def say(text: str) -> None:
    """Print a line, and go on if the terminal has been closed."""
    with suppress(OSError):
        print(text, flush=True)


if __name__ == "__main__":
    main()
