"""Measure how much memory web and worker take, whether it grows under load, and how soon they are ready."""

import random
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, astuple, dataclass, field
from pathlib import Path

import psutil

from scripts.bench.load import LoadGenerator
from scripts.bench.report import Section, grid
from scripts.bench.routes import VARIANTS, Person, Route
from scripts.bench.seed import Say
from scripts.bench.system import API, System, shared_environment
from scripts.stack import processes
from scripts.stack.ports import free_port
from scripts.stack.procfile import ROOT, read_procfile
from scripts.stack.programs import Place, start, wait_until, wait_until_ready

WEB, WORKER = "web", "worker"
STARTS = 3
WORKER_READY = '"worker_started"'
# Of the whole time: two minutes of ten. Caches fill meanwhile, and processes come to write what they inherited.
WARM_UP = 0.2
SAMPLES = 20
LONGEST_PIECE = 10
# A figure is the median of so many samples.
COMPARED = 3
MOST_GROWTH = 0.05
MEGABYTE = 2**20

EXPLANATION = f"""\
Memory of all processes together (PSS), in MB. Growth is that of memory that is no file's, because what is mapped from
files is shared with whatever else runs; more than {MOST_GROWTH:.0%} is a failure."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What processes take, in bytes; what several share is counted once."""

    resident: int
    # Without pages of files.
    anonymous: int


@dataclass(frozen=True, slots=True)
class Soak:
    """What was seen during a long mixed load; a sample is when, and the memory of each process."""

    samples: list[tuple[float, dict[str, Memory]]] = field(default_factory=list)
    errors: int = 0
    requests: int = 0


def memory_of(process_id: int) -> Memory:
    """Return the memory of a process and all its descendants."""
    resident = anonymous = 0
    for member in processes.family(process_id):
        with suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            pages = read_pages(member)
            resident, anonymous = resident + pages.resident, anonymous + pages.anonymous
    return Memory(resident, anonymous)


def read_pages(process: psutil.Process) -> Memory:
    """Return the memory of one process, its share of what it has in common with others included."""
    rollup = Path(f"/proc/{process.pid}/smaps_rollup")
    if not rollup.exists():
        # Other systems do not say what is shared.
        resident = process.memory_info().rss
        return Memory(resident, resident)
    fields = (line.split() for line in rollup.read_text().splitlines()[1:])
    sizes = {name: int(size) * 1024 for name, size, *_ in fields}
    return Memory(sizes["Pss:"], sizes["Pss_Anon:"])


def memory_now(system: System) -> dict[str, Memory]:
    """Return the memory of the API's web processes and of its worker."""
    return {WEB: memory_of(system.web[API].process.pid), WORKER: memory_of(system.worker.process.pid)}


def start_times(system: System, folder: Path, say: Say) -> dict[str, float]:
    """Start web and worker some more times, each alone; return the median seconds until they are ready."""
    environment = {**shared_environment(system.valkey.url), "DATABASE_URL": system.database_url}
    place, commands = Place(ROOT, environment, folder), read_procfile(ROOT)
    found = {}
    for name in (WEB, WORKER):
        found[name] = statistics.median(start_time(name, commands[name], place) for _ in range(STARTS))
        say(f"From start to ready: {name} {found[name]:.1f} s")
    return found


def start_time(name: str, command: str, place: Place) -> float:
    """Return the seconds until a process is ready for requests or for jobs."""
    with ExitStack() as stack:
        began = time.monotonic()
        program = start(stack, f"starting {name}", command, place, free_port() if name == WEB else 0)
        if name == WEB:
            wait_until_ready(program, "/health/ready")
        else:
            wait_until(program, lambda: WORKER_READY in program.log.read_text(errors="replace"))
        return time.monotonic() - began


def facts(starts: Mapping[str, float], *samples: tuple[str, Mapping[str, Memory]]) -> dict[str, str]:
    """Return two lines for every report."""
    sizes = ", ".join(
        f"{name} " + ", ".join(f"{memory[name].resident / MEGABYTE:.0f} MB {when}" for when, memory in samples)
        for name in (WEB, WORKER)
    )
    return {"ready after": ", ".join(f"{name} {seconds:.1f} s" for name, seconds in starts.items()), "memory": sizes}


def soak(
    system: System,
    people: Sequence[Person],
    generator: LoadGenerator,
    routes: Sequence[Route],
    seconds: int,
    say: Say,
) -> Section:
    """Ask all routes for a long while, and see whether memory grows."""
    port, began = system.web[API].port, time.monotonic()
    samples, errors, requests = [(0.0, memory_now(system))], 0, 0
    for piece in pieces(seconds):
        # New ones each time: bookings at the same times again and again would make answers longer and longer.
        mixture = [random.choice(routes).make(random.choice(people)) for _ in range(VARIANTS)]  # noqa: S311  no secret
        load = generator.run(port, mixture, piece)
        system.check()
        errors, requests = errors + load.errors, requests + load.requests
        samples.append((time.monotonic() - began, memory_now(system)))
        sizes = ", ".join(f"{name} {memory.resident / MEGABYTE:.0f} MB" for name, memory in samples[-1][1].items())
        say(f"Soak: {samples[-1][0]:.0f} s, {load.requests / load.seconds:.0f} req/s, {errors} errors; {sizes}")
    say(f"Soak: the worker has {system.backlog():,} things left to do")
    return summarise(Soak(samples, errors, requests))


def pieces(seconds: int) -> Iterator[int]:
    """Yield how many seconds each piece of a long load takes; memory is looked at after each."""
    length = max(1, min(LONGEST_PIECE, seconds // SAMPLES))
    for begin in range(0, seconds, length):
        yield min(length, seconds - begin)


def summarise(seen: Soak) -> Section:
    """Return what memory there was, and fail where it went on growing after the warm-up."""
    end = seen.samples[-1][0]
    warm = [memory for when, memory in seen.samples if when >= WARM_UP * end]
    head = ("process", "before", f"after {WARM_UP * end:.0f} s", f"after {end:.0f} s", "growth")
    rows, growths = [], []
    for name in (WEB, WORKER):
        early, late = (middle([memory[name] for memory in part]) for part in (warm[:COMPARED], warm[-COMPARED:]))
        growths.append(late.anonymous / early.anonymous - 1)
        sizes = [memory.resident / MEGABYTE for memory in (seen.samples[0][1][name], early, late)]
        rows.append((name, *(f"{size:.1f}" for size in sizes), f"{growths[-1]:+.1%}"))
    answers, table = f"{seen.requests:,} requests, {seen.errors} errors.", grid([head, *rows], names=1)
    text = f"## Soak\n\n{answers}\n\n{table}\n\n{EXPLANATION}"
    return Section("soak", text, asdict(seen), bool(seen.errors) or max(growths) > MOST_GROWTH)


def middle(samples: Sequence[Memory]) -> Memory:
    """Return the median of some samples."""
    return Memory(*(int(statistics.median(sizes)) for sizes in zip(*map(astuple, samples), strict=True)))
