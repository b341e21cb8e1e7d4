"""Measure what the busiest routes of the API cost, beside a bare Flask route under the same gunicorn.

PostgreSQL, Valkey and all data live in .local/bench; the database is seeded once and copied for each run.
The table is printed and kept as .local/bench/latest.md, all figures as .local/bench/latest.json.
The exit code is 1 if any answer was not a 2xx.
"""

import argparse
import fcntl
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NoReturn

import psutil
import psycopg2

from scripts import processes
from scripts.bench.errors import BenchError
from scripts.bench.load import LoadGenerator, find_load_generator
from scripts.bench.measure import Bench, Result
from scripts.bench.report import Report
from scripts.bench.routes import LIMITS, ROUTES, ROWS, Route, sign_in
from scripts.bench.seed import Sizes
from scripts.bench.system import API, start_system
from scripts.servers import ServerError

FOLDER = Path(__file__).resolve().parent.parent.parent / ".local" / "bench"
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STARTED = time.monotonic()


def main() -> int:
    """Measure, report and leave nothing running; return the exit code."""
    arguments = read_arguments()
    for number in STOP_SIGNALS:
        signal.signal(number, leave)
    FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
    generator = find_load_generator(arguments.clients, FOLDER, built_in=arguments.built_in)
    say(f"Load generator: {generator.describe()}")
    try:
        with only_one_run():
            results = measure(arguments, generator)
    except (BenchError, ServerError, OSError, psycopg2.Error) as error:
        print(f"make bench: {str(error).strip()}", file=sys.stderr)
        return 1
    command = shlex.join(["python", "-m", "scripts.bench", *sys.argv[1:]])
    settings = {name: value for name, value in vars(arguments).items() if name != "routes"}
    report = Report(command, generator.describe(), settings, results)
    report.write(FOLDER)
    print(f"\n{report.text()}", flush=True)
    return int(any(result.median.errors for result in results))


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--seconds", type=count(1, 600), default=5, help="for each route in each round (default: %(default)s)")
    add("--rounds", type=count(1, 100), default=3, help="how often each route has its turn (default: %(default)s)")
    add("--clients", type=count(1, 900), default=32, help="keep-alive connections (default: %(default)s)")
    add("--routes", nargs="+", metavar="PART", help="only those with one of these in their name, such as 'POST /b'")
    add("--built-in", action="store_true", help="use the built-in load generator even where wrk is on the path")
    add("--users", type=count(1, 10**7), default=1_000, help="rows (default: %(default)s)")
    add("--bookings", type=count(1, 10**8), default=100_000, help="rows (default: %(default)s)")
    add("--notifications", type=count(0, 10**8), default=100_000, help="rows (default: %(default)s)")
    add("--events", type=count(0, 10**9), default=100_000, help="rows (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.bookings < ROWS * arguments.users:
        parser.error(f"--bookings must be at least {ROWS} times --users: that is what a list shows.")
    arguments.routes = choose_routes(parser, arguments.routes)
    return arguments


def count(lowest: int, highest: int) -> Callable[[str], int]:
    """Return a reader of numbers within bounds."""

    def number(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not lowest <= int(text) <= highest:
            raise argparse.ArgumentTypeError(f"must be a number from {lowest} to {highest}, and is {text!r}")
        return int(text)

    return number


def choose_routes(parser: argparse.ArgumentParser, parts: list[str] | None) -> list[Route]:
    """Return the routes that are meant, or refuse a part that no route has in its name."""
    for part in parts or ():
        if not any(part in route.name for route in ROUTES):
            parser.error(f"--routes: no route has {part!r} in its name; there are {', '.join(r.name for r in ROUTES)}.")
    return [route for route in ROUTES if parts is None or any(part in route.name for part in parts)]


def measure(arguments: argparse.Namespace, generator: LoadGenerator) -> list[Result]:
    """Start everything, measure the limits and the routes in turns, and stop everything."""
    sizes = Sizes(arguments.users, arguments.bookings, arguments.notifications, arguments.events)
    with ExitStack() as stack:
        stack.callback(end_strays)
        system = start_system(stack, FOLDER, sizes, say)
        say("Signing people in ...")
        people = sign_in(system.web[API].port, system.database_url)
        results = Bench(system, people, generator, say).measure(
            [*LIMITS, *arguments.routes], arguments.rounds, arguments.seconds
        )
        say("Stopping ...")
    return results


@contextmanager
def only_one_run() -> Iterator[None]:
    """Keep a second run away from the same data."""
    with (FOLDER / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BenchError("It is running in this folder already.") from None
        yield


def leave(*_: object) -> NoReturn:
    """Stop in order, and let no second signal interrupt that."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    sys.exit("make bench: interrupted.")


def end_strays() -> None:
    """End what a process has left behind."""
    processes.send(psutil.Process().children(recursive=True), signal.SIGKILL)


def say(text: str) -> None:
    """Tell what is going on, and how long it has been going on."""
    print(f"{time.monotonic() - STARTED:6.1f} s  {text}", flush=True)
