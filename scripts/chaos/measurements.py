"""What is measured one fault at a time, with everything else at rest."""

import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median, quantiles

import requests

from scripts.chaos.api import ANSWER_SECONDS, PASSWORD
from scripts.chaos.cluster import Cluster
from scripts.chaos.evidence import count_emails
from scripts.chaos.faults import WORKERS
from scripts.chaos.history import now
from scripts.chaos.injection import redis_client
from scripts.chaos.run import installation
from scripts.stack.errors import StackError

CLIENTS = 4
REQUESTS_PER_SECOND = 40.0
WARM_SECONDS = 5.0
# POST /bookings may take this much longer while Redis is away.
ALLOWED_MILLISECONDS = 50.0
RESEND_SECONDS = 20.0
WAIT_SECONDS = 120.0
# Long enough for a killer to find its victim with a mail in hand.
SLOW_PROVIDER = (0.4, 0.6)


@dataclass(frozen=True, slots=True)
class Phase:
    """How bookings fared in one state of Redis, in milliseconds."""

    name: str
    requests: int
    failures: int
    median: float
    p99: float

    def __str__(self) -> str:
        return (
            f"{self.name:16} {self.requests:6} requests  {self.failures:3} failed"
            f"  median {self.median:6.1f} ms  p99 {self.p99:6.1f} ms"
        )


class Booker:
    """Somebody who only books."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/api/v1"
        self._session = requests.Session()
        self._session.trust_env = False
        name = uuid.uuid4().hex
        body = {"name": "Booker", "email": f"{name}@example.com", "password": PASSWORD}
        answer = self._session.post(f"{self._url}/auth/register", json=body, timeout=ANSWER_SECONDS)
        self._session.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        self._start = datetime.now(UTC) + timedelta(days=30)

    def book(self) -> tuple[bool, float]:
        """Book a time; return whether that succeeded, and the seconds it took."""
        self._start += timedelta(hours=1)
        body = {
            "title": "Talk",
            "start": self._start.isoformat(),
            "end": (self._start + timedelta(hours=1)).isoformat(),
        }
        began = now()
        try:
            status = self._session.post(f"{self._url}/bookings", json=body, timeout=ANSWER_SECONDS).status_code
        except requests.RequestException:
            status = 0
        return status == 201, now() - began


def measure_redis_down(seconds: float) -> bool:
    """Compare bookings while Redis is away with bookings just before and after, each for some seconds."""
    kept = []
    with installation() as cluster:
        bookers = [Booker(cluster.url) for _ in range(CLIENTS)]
        _phase("warming up", bookers, WARM_SECONDS)
        before = _phase("healthy", bookers, seconds)
        for name, trouble in TROUBLES.items():
            with trouble(cluster):
                phase = _phase(name, bookers, seconds)
            # The mails that waited must not slow down the next phase.
            _wait_until_drained(cluster)
            after = _phase("healthy", bookers, seconds)
            # The machine has moods: what it does by itself just before or just after is no fault of Redis.
            limit = max(before.p99, after.p99) + ALLOWED_MILLISECONDS
            kept.append(phase.p99 <= limit and not phase.failures)
            print(f"{name}: p99 {phase.p99:.1f} ms of at most {limit:.1f} ms, {phase.failures} failed.")
            before = after
    print("The promise holds." if all(kept) else "The promise is broken.")
    return all(kept)


def measure_drain(mails: int) -> bool:
    """Let mails pile up while no worker runs, and measure how long two workers take to send them."""
    with installation(names=("web",)) as cluster:
        booker = Booker(cluster.url)
        for number in range(mails - 1):
            if not booker.book()[0]:
                raise StackError("a booking failed while nothing was broken.")
            if number % 100 == 99:
                print(f"{number + 1} of {mails} mails wait.", flush=True)
        began = now()
        for worker in WORKERS:
            cluster.start(worker)
        while not cluster.provider.accepted:
            time.sleep(0.01)
        first = now()
        _wait_until_drained(cluster)
        drained = now()
        accepted = len(cluster.provider.accepted)
    print(
        f"{accepted} mails in {drained - began:.1f} s with two workers, of which {first - began:.1f} s until the first;"
        f" {accepted / (drained - first):.0f} a second then."
    )
    return accepted == mails


def measure_resend(kills: int) -> bool:
    """Kill workers with a mail in hand, again and again, and measure how long the mail waits for its next offer."""
    waits = []
    with installation(delays=SLOW_PROVIDER) as cluster:
        booker, over = Booker(cluster.url), threading.Event()
        visitor = threading.Thread(target=_book_on, args=(booker, over), daemon=True)
        visitor.start()
        for number in range(kills):
            waits.append(_kill_and_wait(cluster, WORKERS[number % len(WORKERS)]))
            print(f"kill {number + 1} of {kills}: offered again after {waits[-1]:.1f} s", flush=True)
        over.set()
        visitor.join()
    print(f"Offered again after {median(waits):.1f} s in the median and {max(waits):.1f} s at worst; allowed are 20 s.")
    return max(waits) <= RESEND_SECONDS


def _book_on(booker: Booker, over: threading.Event) -> None:
    while not over.wait(0.5):
        booker.book()


def _kill_and_wait(cluster: Cluster, worker: str) -> float:
    provider = cluster.provider
    deadline = now() + WAIT_SECONDS
    while not (keys := provider.in_hand(worker)):
        if now() > deadline:
            raise StackError(f"{worker} took no mail.")
        time.sleep(0.005)
    killed = now()
    cluster.programs[worker].send(signal.SIGKILL)
    while now() < deadline:
        for offer in list(provider.offers):
            if offer.key == keys[0] and offer.arrived > killed:
                return offer.arrived - killed
        time.sleep(0.02)
    raise StackError("a mail in hand of a killed worker was never offered again.")


def _phase(name: str, bookers: list[Booker], seconds: float) -> Phase:
    results: list[tuple[bool, float]] = []

    def work(booker: Booker) -> None:
        until = now() + seconds
        while now() < until:
            began = now()
            results.append(booker.book())
            time.sleep(max(0.0, CLIENTS / REQUESTS_PER_SECOND - (now() - began)))

    threads = [threading.Thread(target=work, args=(booker,)) for booker in bookers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times = [took * 1000 for _, took in results]
    failures = sum(not succeeded for succeeded, _ in results)
    phase = Phase(name, len(results), failures, median(times), quantiles(times, n=100)[98])
    print(phase, flush=True)
    return phase


def _wait_until_drained(cluster: Cluster) -> None:
    deadline = now() + WAIT_SECONDS
    while count_emails(cluster.database_url).get("pending", 0):
        if now() > deadline:
            raise StackError(f"mails still wait after {WAIT_SECONDS:.0f} s.")
        time.sleep(0.05)


@contextmanager
def _stopped(cluster: Cluster) -> Iterator[None]:
    cluster.redis.kill()
    yield
    cluster.redis.start()


@contextmanager
def _silent(cluster: Cluster) -> Iterator[None]:
    cluster.redis.pause()
    yield
    cluster.redis.resume()


@contextmanager
def _full(cluster: Cluster) -> Iterator[None]:
    with redis_client(cluster) as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "1mb")
    yield
    with redis_client(cluster) as client:
        client.config_set("maxmemory", "0")


def _flushed(cluster: Cluster) -> AbstractContextManager[None]:
    with redis_client(cluster) as client:
        client.flushall()
    return nullcontext()


TROUBLES: dict[str, Callable[[Cluster], AbstractContextManager[None]]] = {
    "Redis stopped": _stopped,
    "Redis silent": _silent,
    "Redis full": _full,
    "Redis flushed": _flushed,
}
