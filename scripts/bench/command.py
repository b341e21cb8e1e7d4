"""Measure routes of the API beside its rivals, report, and leave nothing running."""

import argparse
import shlex
import sys
import time
from contextlib import ExitStack

import psycopg2

from scripts.bench import logins, memory, slots
from scripts.bench.arguments import read_arguments
from scripts.bench.load import LoadGenerator, find_load_generator
from scripts.bench.measure import Bench, Result, summarise
from scripts.bench.peer_servers import ORIGINAL
from scripts.bench.report import Report
from scripts.bench.routes import sign_in
from scripts.bench.seed import Sizes
from scripts.bench.system import API, BARE_FLASK, BARE_WSGI, Rivals, start_system
from scripts.stack.errors import StackError
from scripts.stack.procfile import ROOT
from scripts.stack.running import end_strays, only_one_run, stop_in_order

FOLDER = ROOT / ".local" / "bench"
STARTED = time.monotonic()


def main() -> int:
    """Measure, report and leave nothing running; return the exit code."""
    arguments = read_arguments(sys.argv[1:])
    stop_in_order(lambda: sys.exit("make bench: interrupted."))
    FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
    generator = find_load_generator(arguments.clients, FOLDER, built_in=arguments.built_in)
    say(f"Load generator: {generator.describe()}")
    try:
        with only_one_run(FOLDER):
            report = measure(arguments, generator)
    except (StackError, OSError, psycopg2.Error) as error:
        print(f"make bench: {str(error).strip()}", file=sys.stderr)
        return 1
    report.write(FOLDER)
    if arguments.chart and report.results:
        arguments.chart.write_text(report.chart())
    print(f"\n{report.text()}", flush=True)
    return int(report.failed)


def measure(arguments: argparse.Namespace, generator: LoadGenerator) -> Report:
    """Start everything, measure, and stop everything."""
    command = shlex.join(["python", "-m", "scripts.bench", *sys.argv[1:]])
    settings = {name: value for name, value in vars(arguments).items() if name not in ("routes", "chart")}
    sizes = Sizes(arguments.users, arguments.bookings, arguments.notifications, arguments.events)
    rivals = Rivals(arguments.peers, arguments.against, dict(arguments.server))
    with ExitStack() as stack:
        stack.callback(end_strays)
        system = start_system(stack, FOLDER, sizes, say, rivals)
        starts = memory.start_times(system, FOLDER, say)
        at_rest = memory.memory_now(system)
        say("Signing people in ...")
        people = {name: sign_in(system.web[name].port, address) for name, address in system.databases.items()}
        everyone = {name: people.get(name, people[API]) for name in system.servers}
        results: list[Result] = []
        baselines: list[str] = []
        sections = []
        if arguments.soak:
            sections.append(memory.soak(system, people[API], generator, arguments.routes, arguments.soak, say))
        else:
            if arguments.logins:
                sections.append(logins.measure(system, everyone, generator, arguments.rounds, arguments.seconds, say))
            bench = Bench(system, everyone, generator, say)
            measured = bench.measure(arguments.routes, arguments.rounds, arguments.seconds)
            names = (arguments.against, ORIGINAL, BARE_FLASK, BARE_WSGI)
            baselines = [name for name in names if name in system.servers]
            results = summarise(measured, baselines)
            if arguments.slots:
                sections.append(slots.measure(system.web[API].port, system.database_url, say))
        facts = memory.facts(starts, ("at rest", at_rest), ("at the end", memory.memory_now(system)))
        say("Stopping ...")
    return Report(command, generator.describe(), settings, baselines, results, facts, sections)


def say(text: str) -> None:
    """Tell what is going on, and how long it has been going on."""
    print(f"{time.monotonic() - STARTED:6.1f} s  {text}", flush=True)
