"""Measure what people who read notice of people who sign in: comparing passwords takes a processor long."""

import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, astuple, dataclass, replace

import bcrypt

from scripts.bench.load import LoadGenerator
from scripts.bench.measure import WARM_UP_SECONDS, median
from scripts.bench.peer_servers import ORIGINAL
from scripts.bench.report import Section, grid
from scripts.bench.routes import PREFIX, ROUTES, Person, render
from scripts.bench.seed import PASSWORD, Say
from scripts.bench.system import LIMITS, System
from scripts.stack.databases import ask, connected

ROUTE = "GET /bookings/:id"
READING, SIGNING_IN = 16, 8
# What passwords cost in production; those of the seeded database cost next to nothing.
PASSWORD_COST = 10
# A server that stalls answers no read at all within less.
LEAST_SECONDS = 5
# People sign in before the first read and after the last one.
LEAD_SECONDS = 1.0
GOAL = 40

EXPLANATION = f"""\
{ROUTE}, {READING} clients, while {SIGNING_IN} more sign in without pause; bcrypt's cost is {PASSWORD_COST}.
Refused: answers to those who sign in that were no 2xx. ÷ {ORIGINAL}: how many times longer its p99 is; the goal
is {GOAL}."""


@dataclass(frozen=True, slots=True)
class Reads:
    """What those who read have seen while others signed in, and how many of these were served."""

    reads_per_second: float
    p50_ms: float
    p99_ms: float
    errors: int
    logins_per_second: float
    refused: int


def measure(
    system: System,
    people: Mapping[str, Sequence[Person]],
    generator: LoadGenerator,
    rounds: int,
    seconds: int,
    say: Say,
) -> Section:
    """Measure all servers in turns."""
    credentials = {name: choose_people(address) for name, address in system.databases.items()}
    seconds = max(seconds, LEAST_SECONDS)
    names = [name for name in system.servers if name not in LIMITS]
    measured: dict[str, list[Reads]] = {name: [] for name in names}
    for number in range(1, rounds + 1):
        for name in names if number % 2 else reversed(names):
            emails = credentials.get(name, next(iter(credentials.values())))
            reads = read_beside_logins(system.web[name].port, people[name], emails, generator, seconds)
            system.check()
            measured[name].append(reads)
            say(
                f"Round {number}/{rounds}  reads beside logins       {name:16} {reads.reads_per_second:7.0f} req/s"
                f"  p50 {reads.p50_ms:6.1f} ms  p99 {reads.p99_ms:6.1f} ms  {reads.logins_per_second:.0f} logins/s"
            )
    return summarise(measured)


def choose_people(database_url: str) -> list[str]:
    """Give people who read nothing a password that costs as much as in production; return their addresses."""
    password_hash = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(PASSWORD_COST)).decode()
    statement = (
        "UPDATE users SET password_hash = %(hash)s"
        " WHERE id IN (SELECT id FROM users ORDER BY id DESC LIMIT %(people)s) RETURNING email"
    )
    with connected(database_url) as connection:
        return [email for (email,) in ask(connection, statement, {"hash": password_hash, "people": SIGNING_IN})]


def read_beside_logins(
    port: int, people: Sequence[Person], emails: Iterable[str], generator: LoadGenerator, seconds: int
) -> Reads:
    """Let some read and others sign in at one server for a while."""
    reading = replace(generator, clients=READING)
    # A handful of requests a second: the built-in load generator costs nothing here, and both need a file.
    signing_in = LoadGenerator(SIGNING_IN, generator.file.with_name("logins"), None)
    route = next(route for route in ROUTES if route.name == ROUTE)
    requests = [render("POST", f"{PREFIX}/auth/login", body={"email": email, "password": PASSWORD}) for email in emails]
    reading.run(port, route.variants(people), WARM_UP_SECONDS)
    with ThreadPoolExecutor(1) as pool:
        logins = pool.submit(signing_in.run, port, requests, seconds + 2 * LEAD_SECONDS)
        time.sleep(LEAD_SECONDS)
        reads = reading.run(port, route.variants(people), seconds)
        others = logins.result()
    served = (others.requests - others.errors) / others.seconds
    return Reads(reads.requests / reads.seconds, reads.p50_ms, reads.p99_ms, reads.errors, served, others.errors)


def summarise(measured: Mapping[str, Sequence[Reads]]) -> Section:
    """Return the medians over the rounds, with errors added up; any of them is a failure."""
    results = {name: median(rounds, "errors", "refused") for name, rounds in measured.items()}
    head = ["server", "reads/s", "p50 ms", "p99 ms", "errors", "logins/s", "refused"]
    rows = [[name, *(f"{figure:.0f}" for figure in astuple(reads))] for name, reads in results.items()]
    if ORIGINAL in results:
        head.append(f"÷ {ORIGINAL}")
        rows = [[*cells, f"{compare(measured[cells[0]], measured[ORIGINAL]):.1f}"] for cells in rows]
    figures = {name: [asdict(reads) for reads in rounds] for name, rounds in measured.items()}
    failed = any(reads.errors or reads.refused for reads in results.values())
    table = grid([head, *rows], names=1)
    return Section("logins", f"## Reads while others sign in\n\n{table}\n\n{EXPLANATION}", figures, failed)


def compare(rounds: Sequence[Reads], baseline: Sequence[Reads]) -> float:
    """Return the median ratio of another server's p99 to that of one, round by round."""
    pairs = zip(rounds, baseline, strict=True)
    return statistics.median(other.p99_ms / one.p99_ms for one, other in pairs)
