"""A run: start everything, let people book while things break, mend everything, wait for the mails, judge."""

import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2

from scripts.chaos.api import PERSISTENCE_SECONDS
from scripts.chaos.checks import violations
from scripts.chaos.cluster import PROCESSES, WEB_CONCURRENCY, WEB_THREADS, Cluster
from scripts.chaos.evidence import Evidence, count_emails, read_database
from scripts.chaos.faults import WORKERS, plan
from scripts.chaos.guests import Guest
from scripts.chaos.history import History, Outcome, now
from scripts.chaos.injection import Injection
from scripts.chaos.links import HOSTS, Link, open_links
from scripts.chaos.load import HABITS, TEAMS, Client, Person, Town
from scripts.chaos.provider import DELAYS, Provider
from scripts.chaos.visitor import Surroundings, Visitor
from scripts.stack.errors import StackError
from scripts.stack.procfile import ROOT

LOCAL = ROOT / ".local"
# How long mails may take to leave when everything is mended, and how long none may leave: one that failed often waits
# for a minute.
DRAIN_SECONDS = 300.0
STALL_SECONDS = 80.0
WORKER_POOL = 3
LINKED_TEAMS = 2


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a run is asked for."""

    seed: int
    seconds: float
    clients: int
    bookings_per_second: float


@dataclass
class Result:
    """What a run has shown."""

    scenario: Scenario
    evidence: Evidence
    violations: list[str]
    drain_seconds: float
    pending_at_end: int
    starts: dict[str, int] = field(default_factory=dict)
    mishaps: list[str] = field(default_factory=list)


@contextmanager
def installation(
    seed: int = 0, *, delays: tuple[float, float] = DELAYS, names: Sequence[str] = PROCESSES
) -> Iterator[Cluster]:
    """Run a cluster in a folder of its own, which is kept when something goes wrong."""
    LOCAL.mkdir(mode=0o700, exist_ok=True)
    (LOCAL / "chaos").mkdir(mode=0o700, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{seed}-", dir=LOCAL / "chaos"))
    print(f"Starting PostgreSQL, Valkey and {', '.join(names)} in {folder} ...", flush=True)
    with Cluster(folder, Provider(seed, delays), names) as cluster:
        yield cluster
    shutil.rmtree(folder)


def run(scenario: Scenario) -> Result:
    """Run a scenario and judge it."""
    with ExitStack() as stack:
        cluster = stack.enter_context(installation(scenario.seed))
        history = History()
        injection = Injection(cluster, history, plan(scenario.seed, scenario.seconds))
        stack.callback(injection.stop)
        result = _run(scenario, cluster, history, injection)
        if result.violations:
            keep_logs(cluster.folder)
    # Only now: the servers end with the threads that started them again.
    injection.leave()
    return result


def keep_logs(folder: Path) -> None:
    """Put the logs where they outlive the run."""
    kept = folder.with_name(folder.name + "-logs")
    kept.mkdir()
    for log in (*folder.glob("*.log"), *folder.glob("*/log")):
        shutil.copy(log, kept / f"{log.parent.name}-{log.name}")
    print(f"\nThe logs are kept in {kept}.")


def _run(scenario: Scenario, cluster: Cluster, history: History, injection: Injection) -> Result:
    town, stopping = Town(), threading.Event()
    pause = scenario.clients * HABITS["create"] / sum(HABITS.values()) / scenario.bookings_per_second
    surroundings = Surroundings(scenario.seed, cluster.url, history, stopping, pause)
    # Number 0 never runs: it only opens the accounts of the teams and of those whom guests book.
    founder = Client(0, town, surroundings)
    town.teams = open_accounts(founder, TEAMS)
    links = _let_guests_book(founder, town)
    visitors: list[Visitor] = [Client(number, town, surroundings) for number in range(1, scenario.clients + 1)]
    visitors += [Guest(number, links, surroundings) for number in range(1, max(2, scenario.clients // 2) + 1)]
    began = now()
    for visitor in visitors:
        visitor.start()
    injection.start()
    _watch(began, began + scenario.seconds, history, injection, cluster)
    injection.stop()
    healed = now()
    stopping.set()
    for visitor in visitors:
        visitor.join(PERSISTENCE_SECONDS + 15)
        if visitor.crash is not None:
            raise StackError(
                f"{visitor.name} failed: {type(visitor.crash).__name__}: {visitor.crash}"
            ) from visitor.crash
        if visitor.is_alive():
            raise StackError(f"{visitor.name} did not end.")
    pending = _watch_drain(began, history, injection, cluster)
    drained = now() - healed
    evidence = Evidence(
        operations=history.operations,
        offers=cluster.provider.offers,
        incidents=injection.incidents,
        connection_limits={"web": WEB_CONCURRENCY * WEB_THREADS} | dict.fromkeys(WORKERS, WORKER_POOL),
    )
    read_database(cluster.database_url, evidence)
    starts = {name: program.starts for name, program in cluster.programs.items()}
    return Result(scenario, evidence, violations(evidence), drained, pending, starts, injection.mishaps)


def open_accounts(founder: Client, number: int) -> list[Person]:
    """Return so many new people."""
    return [person for _ in range(number) if (person := founder.register())]


def _let_guests_book(founder: Client, town: Town) -> list[Link]:
    """Return links to the hosts of each team, of whom one has entries of their own, which clients make."""
    links = []
    for number in range(LINKED_TEAMS):
        hosts = open_accounts(founder, HOSTS)
        town.teams.append(hosts[0])
        links += open_links(founder.api, f"Practice {number}", hosts)
    return links


def _watch(began: float, until: float, history: History, injection: Injection, cluster: Cluster) -> None:
    """Show how it goes, once a second."""
    while now() < until:
        time.sleep(min(1.0, max(0.0, until - now())))
        _show(began, history, injection, cluster)


def _watch_drain(began: float, history: History, injection: Injection, cluster: Cluster) -> int:
    """Wait until no mail is pending, or none has left for long; return how many there were at first."""
    first = fewest = None
    until = last = now() + DRAIN_SECONDS
    while now() < min(until, last):
        pending = _show(began, history, injection, cluster)
        if pending is not None and (fewest is None or pending < fewest):
            first = pending if first is None else first
            fewest, until = pending, now() + STALL_SECONDS
        if pending == 0:
            break
        time.sleep(0.5)
    return first or 0


def _show(began: float, history: History, injection: Injection, cluster: Cluster) -> int | None:
    tally = Counter(operation.outcome for operation in list(history.operations) if operation.kind != "login")
    pending = None
    with suppress(psycopg2.Error):
        pending = count_emails(cluster.database_url).get("pending", 0)
    active = ", ".join(incident.name for incident in list(injection.incidents) if not incident.ended)
    line = (
        f"{now() - began:5.0f} s  acknowledged {tally[Outcome.OK]}  refused {tally[Outcome.FAIL]}"
        f"  faults {len(injection.incidents)}  accepted {len(cluster.provider.accepted)}"
        f"  pending {'?' if pending is None else pending}  {active}"
    )
    print(f"\r\x1b[K{line[:150]}" if sys.stdout.isatty() else line, end="" if sys.stdout.isatty() else "\n", flush=True)
    return pending
