"""Break things as planned, and mend them again."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

import psutil
import psycopg2
import redis

from scripts.chaos.cluster import START_SECONDS, Cluster
from scripts.chaos.faults import TARGETS, WORKERS, Fault
from scripts.chaos.history import History, Incident, now
from scripts.chaos.provider import NORMAL
from scripts.stack.errors import StackError

# How long a fault waits for the moment in which it hurts most.
AIM_SECONDS = 1.0
POLL_SECONDS = 0.002
AIMED = ("web", "postgres")
IN_FLIGHT = 3
# Behind many other mails, the one in hand waits some time for another worker.
OVERSLEEP_SECONDS = 20.0
REDIS_MEMORY = "1mb"
CROWD = 4
FULL_SECONDS = 10.0


class Injection:
    """The faults of a run: one thread a target, so that a target has one fault at a time and targets overlap."""

    def __init__(self, cluster: Cluster, history: History, faults: list[Fault]) -> None:
        self.cluster = cluster
        self._history = history
        self.incidents: list[Incident] = []
        self.mishaps: list[str] = []
        self._faults = faults
        self._began = 0.0
        self._stopping = threading.Event()
        self._leaving = threading.Event()
        self._done = {name: threading.Event() for name in TARGETS}

    def start(self) -> None:
        """Begin; the times of the plan count from here."""
        self._began = now()
        for name in TARGETS:
            threading.Thread(target=self._break_target, args=(name,), name=f"break {name}", daemon=True).start()

    def stop(self) -> None:
        """Begin no more faults, and wait until those that began are over."""
        self._stopping.set()
        if self._began:
            for done in self._done.values():
                done.wait()

    def leave(self) -> None:
        """Let the threads go, and with them the servers that they started again."""
        self._leaving.set()

    def _break_target(self, name: str) -> None:
        for fault in self._faults:
            if fault.target == name and not self._stopping.wait(max(0.0, self._began + fault.at - now())):
                self._strike(fault)
        self._done[name].set()
        # A server ends with the thread that started it again.
        self._leaving.wait()

    def _strike(self, fault: Fault) -> None:
        self._aim(fault.target)
        incident = Incident(fault.target, fault.kind, now())
        self.incidents.append(incident)
        try:
            with BREAKS[fault.target.partition("_")[0]](self.cluster, fault):
                incident.in_hand = self.cluster.provider.in_hand(fault.target)
                self._stopping.wait(fault.seconds)
        except (OSError, psycopg2.Error, redis.RedisError, StackError) as error:
            self.mishaps.append(f"{incident.name}: {type(error).__name__}: {error}")
        incident.ended = now()

    def _aim(self, target: str) -> None:
        """Wait a moment until a fault hurts: a worker has a mail in hand, or several requests are in flight."""
        deadline = now() + AIM_SECONDS
        while now() < deadline and not (
            self.cluster.provider.in_hand(target)
            if target in WORKERS
            else target not in AIMED or self._history.in_flight >= IN_FLIGHT
        ):
            time.sleep(POLL_SECONDS)


@contextmanager
def break_web(cluster: Cluster, fault: Fault) -> Iterator[None]:
    """Kill a process of gunicorn, or restart all of it."""
    web = cluster.programs["web"]
    if fault.kind == "SIGKILL of a gunicorn worker":
        children = web.children()
        if children:
            with suppress(psutil.NoSuchProcess):
                children[int(fault.chance * len(children))].kill()
    elif fault.kind == "SIGKILL of the gunicorn master":
        restart_web(cluster, signal.SIGKILL)
    else:
        restart_web(cluster, signal.SIGTERM)
    yield


def restart_web(cluster: Cluster, number: signal.Signals) -> None:
    """Let the master of gunicorn end; the fault is over when another one serves."""
    web = cluster.programs["web"]
    starts, deadline = web.starts, now() + START_SECONDS
    web.send(number)
    while web.starts == starts and now() < deadline:
        time.sleep(POLL_SECONDS)
    cluster.wait_for_web()


@contextmanager
def break_worker(cluster: Cluster, fault: Fault) -> Iterator[None]:
    """Kill, end or freeze a worker.

    There is no work-horse to kill: jobs run in the worker's own process.
    """
    worker = cluster.programs[fault.target]
    if fault.kind == "SIGKILL":
        worker.send(signal.SIGKILL)
    elif fault.kind == "SIGTERM":
        worker.send(signal.SIGTERM)
    else:
        with asleep(cluster, fault.target):
            yield
        return
    yield


@contextmanager
def asleep(cluster: Cluster, name: str) -> Iterator[None]:
    """Freeze a worker, and wake it when another one has its mail in hand: it must not settle what it lost."""
    worker, provider = cluster.programs[name], cluster.provider
    worker.send(signal.SIGSTOP)
    began, keys = now(), provider.in_hand(name)
    # Whoever takes over will wait long for an answer.
    provider.be_late_next(keys)
    try:
        yield
        deadline = now() + OVERSLEEP_SECONDS
        while keys and now() < deadline and not provider.has_offers(keys, began):
            time.sleep(POLL_SECONDS)
    finally:
        worker.send(signal.SIGCONT)


@contextmanager
def break_postgres(cluster: Cluster, fault: Fault) -> Iterator[None]:
    """Restart PostgreSQL, or make it unusable for a while."""
    postgres = cluster.postgres
    match fault.kind:
        case "immediate restart":
            postgres.restart("immediate")
            yield
        case "fast restart":
            postgres.restart("fast")
            yield
        case "SIGSTOP":
            postgres.pause()
            try:
                yield
            finally:
                postgres.resume()
        case "all backends terminated":
            terminate_backends(cluster)
            yield
        case "connections exhausted":
            with crowd(cluster):
                terminate_backends(cluster)
                yield
        case _:
            run_as_superuser(cluster, "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
            try:
                yield
            finally:
                run_as_superuser(cluster, "ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")


@contextmanager
def break_redis(cluster: Cluster, fault: Fault) -> Iterator[None]:
    """Take Redis away, or what it remembers, or its memory."""
    match fault.kind:
        case "SIGKILL without persistence":
            cluster.redis.kill()
            try:
                yield
            finally:
                cluster.redis.start()
        case "SIGSTOP":
            cluster.redis.pause()
            try:
                yield
            finally:
                cluster.redis.resume()
        case "FLUSHALL":
            with redis_client(cluster) as client:
                client.flushall()
            yield
        case _:
            with redis_client(cluster) as client:
                client.config_set("maxmemory-policy", "noeviction")
                client.config_set("maxmemory", REDIS_MEMORY)
            try:
                yield
            finally:
                with redis_client(cluster) as client:
                    client.config_set("maxmemory", "0")


@contextmanager
def break_provider(cluster: Cluster, fault: Fault) -> Iterator[None]:
    """Let the provider misbehave."""
    cluster.provider.fault = fault.kind
    if fault.kind == "refused":
        cluster.provider.close()
    try:
        yield
    finally:
        cluster.provider.fault = NORMAL
        cluster.provider.open()


BREAKS: dict[str, Callable[[Cluster, Fault], AbstractContextManager[None]]] = {
    "web": break_web,
    "worker": break_worker,
    "postgres": break_postgres,
    "redis": break_redis,
    "provider": break_provider,
}


def run_as_superuser(cluster: Cluster, *statements: str) -> None:
    """Run statements one by one on a connection of their own."""
    connection = psycopg2.connect(cluster.postgres.url, connect_timeout=10)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    finally:
        connection.close()


def terminate_backends(cluster: Cluster) -> None:
    """End every session of the application."""
    run_as_superuser(
        cluster,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename NOT IN ('postgres', 'crowd')",
    )


@contextmanager
def crowd(cluster: Cluster) -> Iterator[None]:
    """Take every connection there is, and each that becomes free."""
    over, full = threading.Event(), threading.Event()
    taken: list[psycopg2.extensions.connection] = []

    def take() -> None:
        while not over.is_set():
            try:
                taken.append(psycopg2.connect(cluster.database_url_as("crowd"), connect_timeout=5))
            except psycopg2.OperationalError:
                full.set()
                over.wait(POLL_SECONDS)

    takers = [threading.Thread(target=take, daemon=True) for _ in range(CROWD)]
    for taker in takers:
        taker.start()
    full.wait(FULL_SECONDS)
    try:
        yield
    finally:
        over.set()
        for taker in takers:
            taker.join()
        for connection in taken:
            connection.close()


@contextmanager
def redis_client(cluster: Cluster) -> Iterator[redis.Redis]:
    """Speak to Redis."""
    with redis.Redis.from_url(cluster.redis.url, socket_timeout=5) as client:
        yield client
