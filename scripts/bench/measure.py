"""Measure routes in turns: what the clients see, and what it costs the processes behind."""

import resource
import statistics
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields

import psutil

from scripts import processes
from scripts.bench.load import Load, LoadGenerator
from scripts.bench.routes import Person, Route, check
from scripts.bench.seed import Say
from scripts.bench.system import BARE_FLASK, System

WARM_UP_SECONDS = 1.0
# After a write the worker goes on for a while; the next route shall not pay for that.
CALM_WITHIN = 120.0
CALM_POLL_SECONDS = 1.0


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


@dataclass(frozen=True, slots=True)
class Result:
    """What is known of a route after all rounds."""

    name: str
    median: Measurement
    ratio_to_bare_flask: float
    rounds: list[Measurement]


@dataclass(frozen=True, slots=True)
class Bench:
    """A system, the people who use it, and what sends their requests."""

    system: System
    people: Sequence[Person]
    generator: LoadGenerator
    say: Say

    def measure(self, routes: Sequence[Route], rounds: int, seconds: float) -> list[Result]:
        """Measure each route once a round, so that whatever disturbs the machine disturbs all of them."""
        measured: dict[str, list[Measurement]] = {route.name: [] for route in routes}
        for route in routes:
            self.say(f"Warming up: {route.name}")
            check(route, self.system.web[route.server].port, self.people[0])
            self._load(route, route.variants(self.people), WARM_UP_SECONDS)
        for number in range(1, rounds + 1):
            for route in routes:
                self._wait_until_calm()
                measurement = self._measure(route, seconds)
                measured[route.name].append(measurement)
                self.say(
                    f"Round {number}/{rounds}  {route.name:25} {measurement.requests_per_second:7.0f} req/s"
                    f"  p50 {measurement.p50_ms:6.1f} ms  p99 {measurement.p99_ms:6.1f} ms"
                )
        return summarise(measured)

    def _measure(self, route: Route, seconds: float) -> Measurement:
        requests = route.variants(self.people)
        before, started = self._usage(route), time.monotonic()
        load = self._load(route, requests, seconds)
        used, elapsed = self._usage(route).since(before), time.monotonic() - started
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

    def _load(self, route: Route, requests: Sequence[bytes], seconds: float) -> Load:
        return self.generator.run(self.system.web[route.server].port, requests, seconds)

    def _usage(self, route: Route) -> Usage:
        # Of our own children only load generators have ended while anything is measured.
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        machine = psutil.cpu_times()
        return Usage(
            web=family_seconds(self.system.web[route.server].process.pid),
            postgres=family_seconds(self.system.postgres.pid),
            worker=family_seconds(self.system.worker.process.pid),
            load=children.ru_utime + children.ru_stime,
            machine=machine.user + machine.nice + machine.system + machine.irq + machine.softirq,
        )

    def _wait_until_calm(self) -> None:
        deadline = time.monotonic() + CALM_WITHIN
        told = False
        while backlog := self.system.backlog():
            if time.monotonic() > deadline:
                self.say(f"The worker still has {backlog:,} e-mails to send: the next figures suffer from that.")
                return
            if not told:
                self.say(f"Waiting for the worker, which has {backlog:,} e-mails to send ...")
            told = True
            self.system.check()
            time.sleep(CALM_POLL_SECONDS)


def family_seconds(process_id: int) -> float:
    """Return the processor time of a process and all its descendants, those that have ended included."""
    total = 0.0
    for process in processes.family(process_id):
        with suppress(psutil.NoSuchProcess):
            total += sum(process.cpu_times()[:4])
    return total


def summarise(measured: dict[str, list[Measurement]]) -> list[Result]:
    """Return the medians, and how each route compares with bare Flask in the same rounds."""
    return [
        Result(name, median(rounds), compare(rounds, measured[BARE_FLASK]), rounds) for name, rounds in measured.items()
    ]


def median(rounds: Sequence[Measurement]) -> Measurement:
    """Return the median of each figure; errors are added up."""
    figures = {field.name: statistics.median(getattr(one, field.name) for one in rounds) for field in fields(rounds[0])}
    return Measurement(**(figures | {"errors": sum(one.errors for one in rounds)}))


def compare(rounds: Sequence[Measurement], limits: Sequence[Measurement]) -> float:
    """Return the median ratio of requests per second, round by round."""
    pairs = zip(rounds, limits, strict=True)
    return statistics.median(one.requests_per_second / limit.requests_per_second for one, limit in pairs)
