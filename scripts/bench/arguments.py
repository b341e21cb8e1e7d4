"""Measure what the busiest routes of the API cost, beside a bare Flask route and a bare WSGI function under gunicorn.

Before it people read while others sign in. After it
one client asks for the slots of a month.
PostgreSQL, Valkey and all data live in .local/bench; the database is seeded once and copied for each run.
The table is printed and kept as .local/bench/latest.md, a chart as latest.svg, all figures as latest.json.
With --soak it is all routes at once for a long while, and how memory grows (latest-soak.md).
The exit code is 1 if any answer was not a 2xx, or memory grew.
"""

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from scripts.bench.peer_servers import FASTAPI, ORIGINAL, TUNED
from scripts.bench.routes import ROUTES, ROWS, Route
from scripts.bench.system import API, APPLICATION, BARE_FLASK, BARE_WSGI

TAKEN = (API, BARE_FLASK, BARE_WSGI, ORIGINAL, TUNED, FASTAPI)


def read_arguments(words: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--seconds", type=count(1, 600), default=5, help="for each route in each round (default: %(default)s)")
    add("--rounds", type=count(1, 100), default=3, help="how often each route has its turn (default: %(default)s)")
    add("--clients", type=count(1, 900), default=32, help="keep-alive connections (default: %(default)s)")
    add("--routes", nargs="+", metavar="PART", help="only those with one of these in their name, such as 'POST /b'")
    add("--peers", action="store_true", help="beside it: the same service in Node.js (twice) and in FastAPI")
    add("--against", metavar="REV", help="beside it: another revision of the project, with its own database")
    add(
        "--server",
        type=server,
        action="append",
        default=[],
        metavar="NAME=COMMAND",
        help=f"beside it: {APPLICATION} as this command serves it on 127.0.0.1:$PORT; may be repeated",
    )
    add("--logins", action=argparse.BooleanOptionalAction, help="reads while others sign in (default: for all routes)")
    add("--slots", action=argparse.BooleanOptionalAction, help="slots of people who can be booked (likewise)")
    add("--soak", type=count(20, 10**6), metavar="SECONDS", help="ask all routes at once, and watch the memory")
    add("--chart", type=Path, metavar="FILE", help="write the chart there too")
    add("--built-in", action="store_true", help="use the built-in load generator even where wrk is on the path")
    add("--users", type=count(1, 10**7), default=10_000, help="rows (default: %(default)s)")
    add("--bookings", type=count(1, 10**8), default=1_000_000, help="rows (default: %(default)s)")
    add("--notifications", type=count(0, 10**8), default=1_000_000, help="rows (default: %(default)s)")
    add("--events", type=count(0, 10**9), default=1_000_000, help="rows (default: %(default)s)")
    arguments = parser.parse_args(words)
    if arguments.bookings < ROWS * arguments.users:
        parser.error(f"--bookings must be at least {ROWS} times --users: that is what a list shows.")
    beside = ("peers", "against", "server", "logins", "slots")
    if arguments.soak and any(getattr(arguments, name) for name in beside):
        parser.error("--soak is about this revision alone.")
    for section in ("logins", "slots"):
        if getattr(arguments, section) is None:
            setattr(arguments, section, arguments.routes is None)
    names = [*TAKEN, *(name for name, _ in arguments.server), *filter(None, [arguments.against])]
    for name in names:
        if names.count(name) > 1:
            parser.error(f"There would be two servers named {name!r}.")
    arguments.routes = choose_routes(parser, arguments.routes)
    return arguments


def count(lowest: int, highest: int) -> Callable[[str], int]:
    """Return a reader of numbers within bounds."""

    def number(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not lowest <= int(text) <= highest:
            raise argparse.ArgumentTypeError(f"must be a number from {lowest} to {highest}, and is {text!r}")
        return int(text)

    return number


def server(text: str) -> tuple[str, str]:
    """Read a name and a command that serves the API."""
    name, _, command = text.partition("=")
    if not re.fullmatch(r"[\w .-]+", name) or APPLICATION not in command:
        raise argparse.ArgumentTypeError(f"must be a name, = and a command that serves {APPLICATION}, and is {text!r}")
    return name, command


def choose_routes(parser: argparse.ArgumentParser, parts: list[str] | None) -> list[Route]:
    """Return the routes that are meant, or refuse a part that no route has in its name."""
    for part in parts or ():
        if not any(part in route.name for route in ROUTES):
            parser.error(f"--routes: no route has {part!r} in its name; there are {', '.join(r.name for r in ROUTES)}.")
    return [route for route in ROUTES if parts is None or any(part in route.name for part in parts)]
