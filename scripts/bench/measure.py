"""Measure routes in turns: what the clients see, and what it costs the processes behind."""

import resource
import signal
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, NamedTuple, TypeVar

import psutil

from scripts.bench.load import Load, LoadGenerator
from scripts.bench.routes import BARE, Person, Route, check
from scripts.bench.seed import Say
from scripts.bench.server import Server
from scripts.bench.system import LIMITS, System
from scripts.stack import processes

WARM_UP_SECONDS = 1.0
# After a write the worker goes on for a while; the next route shall not pay for that.
CALM_WITHIN = 120.0
CALM_POLL_SECONDS = 1.0

Figures = TypeVar("Figures")


@dataclass(frozen=True, slots=True)
class Usage:
    """Processor seconds, so far or in between."""

    web: float
    postgres: float
    worker: float
    load: float
    # Of the whole machine, other people's work included.
    machine: float

    def since(self, earlier: "Usage") -> "Usage":
        """Return what was used in between."""
        return Usage(**{name: value - getattr(earlier, name) for name, value in asdict(self).items()})


@dataclass(frozen=True, slots=True)
class Measurement:
    """One route in one round, or over all its rounds; processor time is in microseconds per request."""

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    web_us: float
    postgres_us: float
    worker_us: float
    load_us: float
    # Share of all cores that went to processes that do not belong to the measurement.
    others: float
    errors: int


class Turn(NamedTuple):
    """What is measured at a time: a route of a server."""

    route: str
    server: str


@dataclass(frozen=True, slots=True)
class Result:
    """What is known of a turn after all rounds: medians, and the ratio of requests per second to each baseline."""

    route: str
    server: str
    median: Measurement
    ratios: Mapping[str, float]
    rounds: Sequence[Measurement]


@dataclass(frozen=True, slots=True)
class Bench:
    """A system, the people who use each of its servers, and what sends their requests."""

    system: System
    people: Mapping[str, Sequence[Person]]
    generator: LoadGenerator
    say: Say

    def measure(self, routes: Sequence[Route], rounds: int, seconds: float) -> dict[Turn, list[Measurement]]:
        """Measure each route of each server once a round, so that whatever disturbs the machine disturbs all."""
        self._check(routes)
        turns = [(BARE, name) for name in LIMITS]
        turns += [(route, name) for route in routes for name in self.system.servers if name not in LIMITS]
        measured: dict[Turn, list[Measurement]] = {Turn(route.name, name): [] for route, name in turns}
        for route, name in turns:
            self._wait_until_calm()
            self.say(f"Warming up: {route.name}, {name}")
            self._load(route, name, WARM_UP_SECONDS)
        for number in range(1, rounds + 1):
            # Back and forth, so that nobody always comes after the same.
            for route, name in turns if number % 2 else reversed(turns):
                self._wait_until_calm()
                measurement = self._measure(route, name, seconds)
                measured[Turn(route.name, name)].append(measurement)
                self.say(
                    f"Round {number}/{rounds}  {route.name:25} {name:16} {measurement.requests_per_second:7.0f} req/s"
                    f"  p50 {measurement.p50_ms:6.1f} ms  p99 {measurement.p99_ms:6.1f} ms"
                )
        return measured

    def _check(self, routes: Sequence[Route]) -> None:
        ports = {name: program.port for name, program in self.system.web.items()}
        check(BARE, {name: ports[name] for name in LIMITS}, self.people)
        # What is read is compared before anybody writes.
        for route in sorted(routes, key=lambda route: route.status):
            check(route, {name: ports[name] for name in ports if name not in LIMITS}, self.people)

    def _measure(self, route: Route, name: str, seconds: float) -> Measurement:
        server = self.system.servers[name]
        with self._alone(server):
            before, started = self._usage(server), time.monotonic()
            load = self._load(route, name, seconds)
            used, elapsed = self._usage(server).since(before), time.monotonic() - started
        self.system.check()
        ours = used.web + used.postgres + used.worker + used.load
        per_request = 1e6 / load.requests
        return Measurement(
            requests_per_second=load.requests / load.seconds,
            p50_ms=load.p50_ms,
            p99_ms=load.p99_ms,
            web_us=used.web * per_request,
            postgres_us=used.postgres * per_request,
            worker_us=used.worker * per_request,
            load_us=used.load * per_request,
            others=max(0.0, used.machine - ours) / (elapsed * (psutil.cpu_count() or 1)),
            errors=load.errors,
        )

    @contextmanager
    def _alone(self, server: Server) -> Iterator[None]:
        """Freeze the workers of all others: ours would add up the events that a peer writes, at its expense."""
        workers = {other.worker.process.pid for other in self.system.servers.values() if other.worker}
        if server.worker:
            workers.remove(server.worker.process.pid)
        frozen = [member for worker in workers for member in processes.family(worker)]
        processes.send(frozen, signal.SIGSTOP)
        try:
            yield
        finally:
            processes.send(frozen, signal.SIGCONT)

    def _load(self, route: Route, name: str, seconds: float) -> Load:
        return self.generator.run(self.system.web[name].port, route.variants(self.people[name]), seconds)

    def _usage(self, server: Server) -> Usage:
        # Of our own children only load generators have ended while anything is measured.
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        machine = psutil.cpu_times()
        return Usage(
            web=processes.processor_seconds(server.web.process.pid),
            postgres=processes.processor_seconds(self.system.postgres.pid),
            worker=processes.processor_seconds(server.worker.process.pid) if server.worker else 0.0,
            load=children.ru_utime + children.ru_stime,
            machine=machine.user + machine.nice + machine.system + machine.irq + machine.softirq,
        )

    def _wait_until_calm(self) -> None:
        deadline = time.monotonic() + CALM_WITHIN
        told = False
        while backlog := self.system.backlog():
            if time.monotonic() > deadline:
                self.say(f"The workers still have {backlog:,} things to do: the next figures suffer from that.")
                return
            if not told:
                self.say(f"Waiting for the workers, which have {backlog:,} things to do ...")
            told = True
            self.system.check()
            time.sleep(CALM_POLL_SECONDS)


def summarise(measured: Mapping[Turn, Sequence[Measurement]], baselines: Sequence[str]) -> list[Result]:
    """Return the medians, and how each server compares with the baselines in the same rounds."""
    results = []
    for turn, rounds in measured.items():
        against = {name: measured.get(Turn(BARE.name if name in LIMITS else turn.route, name)) for name in baselines}
        ratios = {name: compare(rounds, limits) for name, limits in against.items() if limits}
        results.append(Result(turn.route, turn.server, median(rounds, "errors"), ratios, rounds))
    return results


def median(rounds: Sequence[Figures], *summed: str) -> Figures:
    """Return the median of each figure; those that are named, such as errors, are added up."""
    first: Any = rounds[0]
    values = {field.name: [getattr(one, field.name) for one in rounds] for field in fields(first)}
    figures = {name: (sum if name in summed else statistics.median)(each) for name, each in values.items()}
    return replace(first, **figures)


def compare(rounds: Sequence[Measurement], baseline: Sequence[Measurement]) -> float:
    """Return the median ratio of requests per second, round by round."""
    pairs = zip(rounds, baseline, strict=True)
    return statistics.median(one.requests_per_second / other.requests_per_second for one, other in pairs)
