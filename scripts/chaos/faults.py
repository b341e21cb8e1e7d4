"""Decide what breaks and when; the same seed always breaks the same things."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from types import MappingProxyType

WORKERS = ("worker_1", "worker_2")
# A mail is leased for 15 s: a worker that sleeps longer wakes up without its lease.
SLEEP_BEYOND_LEASE = (16.0, 18.0)


@dataclass(frozen=True, slots=True)
class Kind:
    """A way to break a target: how often it is dealt, and how long it lasts at least and at most, in seconds."""

    name: str
    share: int
    seconds: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Target:
    """What can be broken, in which ways, and how long it has peace between two faults, in seconds."""

    name: str
    kinds: tuple[Kind, ...]
    peace: tuple[float, float]
    # The part of the run in which it breaks.
    until: float = 1.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that breaks: when it begins, how long it lasts, and a number in [0, 1) to choose a victim with."""

    at: float
    seconds: float
    target: str
    kind: str
    chance: float

    @property
    def name(self) -> str:
        """Return what is counted."""
        target = "worker" if self.target in WORKERS else self.target
        return f"{target}: {self.kind}"


_WEB = Target(
    "web",
    (
        Kind("SIGKILL of a gunicorn worker", 8),
        Kind("SIGTERM and restart of the gunicorn master", 1),
        Kind("SIGKILL of the gunicorn master", 1),
    ),
    (4.0, 8.0),
)
_POSTGRES = Target(
    "postgres",
    (
        Kind("immediate restart", 2),
        Kind("fast restart", 2),
        Kind("all backends terminated", 1),
        Kind("SIGSTOP", 1, (2.0, 6.0)),
        Kind("connections exhausted", 1, (2.0, 4.0)),
        Kind("read-only", 1, (2.0, 4.0)),
    ),
    (3.0, 6.0),
)
_REDIS = Target(
    "redis",
    (
        Kind("SIGKILL without persistence", 2, (0.0, 4.0)),
        Kind("SIGSTOP", 1, (3.0, 7.0)),
        Kind("FLUSHALL", 1),
        Kind("out of memory", 1, (3.0, 6.0)),
    ),
    (3.0, 7.0),
    # Without Redis the workers look at every row, which heals whatever the bell and the sweep forgot: so what they
    # forget in the rest of the run is seen.
    until=0.6,
)
_PROVIDER = Target(
    "provider",
    (
        Kind("500", 1, (2.0, 4.0)),
        Kind("429 with Retry-After", 1, (2.0, 4.0)),
        Kind("accepts, then drops", 1, (2.0, 4.0)),
        Kind("accepts, then times out", 1, (2.0, 4.0)),
        Kind("refused", 1, (1.0, 4.0)),
        Kind("garbage", 1, (2.0, 4.0)),
    ),
    (1.5, 4.0),
)
_WORKER_KINDS = (Kind("SIGKILL", 4), Kind("SIGTERM", 1))
_WORKERS = (
    # One of them only: while both sleep there is nobody to take over.
    Target(WORKERS[0], (*_WORKER_KINDS, Kind("SIGSTOP past the lease", 2, SLEEP_BEYOND_LEASE)), (4.0, 8.0)),
    Target(WORKERS[1], _WORKER_KINDS, (4.0, 8.0)),
)

TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        target.name: target
        for target in (
            _WEB,
            *_WORKERS,
            _POSTGRES,
            _REDIS,
            _PROVIDER,
        )
    }
)


def plan(seed: int, seconds: float) -> list[Fault]:
    """Return the faults of a run in the order of their beginning; each ends before the run does."""
    faults = [fault for target in TARGETS.values() for fault in _plan_target(target, seed, seconds)]
    return sorted(faults, key=lambda fault: (fault.at, fault.target))


def _plan_target(target: Target, seed: int, seconds: float) -> list[Fault]:
    """Deal the kinds like cards: chance decides the order, and each has its turn before one comes again too often."""
    random = Random(f"{seed} {target.name}")  # noqa: S311  a plan, no secret
    faults: list[Fault] = []
    deck: list[Kind] = []
    now = random.uniform(0.5, target.peace[1])
    while True:
        if not deck:
            deck = [kind for kind in target.kinds for _ in range(kind.share)]
            random.shuffle(deck)
        kind = deck.pop()
        lasts = random.uniform(*kind.seconds)
        if now + lasts >= seconds * target.until:
            return faults
        faults.append(Fault(now, lasts, target.name, kind.name, random.random()))
        now += lasts + random.uniform(*target.peace)
