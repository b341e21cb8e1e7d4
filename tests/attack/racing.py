"""Rivals: twenty kept connections to the real processes, and requests that leave them at the same moment."""

import http.client
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import psycopg2
import pytest
from psycopg2.extensions import connection as Connection
from pytest_httpserver import HTTPServer

from tests.attack.ledger import LEDGER
from tests.client import PREFIX
from tests.mailbox import KEY, Mailbox
from tests.people import Person
from tests.stack import Stack, running
from tests.tables import delete_all
from tests.waiting import eventually

RIVALS = 20
ROUNDS = int(os.environ.get("RACE_ROUNDS", "5"))
# A round takes well below a second, and RACE_SECONDS=1 holds it to that; a machine busy with other tests needs more.
LONGEST_ROUND = float(os.environ.get("RACE_SECONDS", "5"))
_PATIENCE = 30.0
# Each of two processes has eight connections. Who is held for two seconds is answered 503.
_ENOUGH_HELD = 8
_LONGEST_HELD = 1.0
_POLL_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class Call:
    """A request to a path below /api/v1."""

    method: str
    path: str
    body: Any = None
    token: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a rival was answered, and when; times are this process's clock."""

    status: int
    headers: http.client.HTTPMessage
    content: bytes
    began: float
    ended: float

    @property
    def json(self) -> Any:
        """Return the body."""
        return orjson.loads(self.content)

    @property
    def code(self) -> str | None:
        """Return the code of a refusal."""
        return self.json.get("code")


class Arena:
    """Where rivals meet: gunicorn, a worker and a mailbox, as the Procfile starts them."""

    def __init__(self, stack: Stack, mailbox: Mailbox, database: Connection, database_url: str) -> None:
        self.stack = stack
        self.mailbox = mailbox
        self.database = database
        self.database_url = database_url
        self.races = self.rounds = self.requests = 0
        self.anomalies: list[str] = []
        self.numbers = range(1, ROUNDS + 1)
        self.longest = (0.0, "")
        self._name = ""
        self._seen = self._deadlocks()
        self._local = threading.local()
        self._threads = ThreadPoolExecutor(RIVALS)

    def play(self, play_round: Callable[[int], None]) -> None:
        """Play rounds, numbered from 1; fail at the end when one of them was not as it should be."""
        self.races += 1
        self._name = play_round.__qualname__.partition(".")[0]
        anomalies = []
        for number in self.numbers:
            self.rounds += 1
            try:
                play_round(number)
            except (AssertionError, OSError, http.client.HTTPException) as error:
                anomalies.append(f"round {number}: {type(error).__name__}: {error}")
        # Rivals that wait for each other are found out after a second, which is what no round may take.
        if self._deadlocks() > self._seen:
            anomalies.append(f"{self._deadlocks() - self._seen} deadlocks, in this race or shortly before")
            self._seen = self._deadlocks()
        self.anomalies += anomalies
        assert not anomalies, f"{len(anomalies)} of {ROUNDS} rounds\n" + "\n".join(anomalies[:3])

    def race(self, calls: Iterable[Call], *, gate: str = "") -> list[Answer]:
        """Send all requests at once, each over a connection of its own, and return the answers in their order.

        In every other round a statement `gate` holds who wants to write until many do, so that they meet in
        PostgreSQL and not only at the door.
        """
        calls = list(calls)
        barrier = threading.Barrier(len(calls))
        with self._closed(gate if self.rounds % 2 else "") as opened:
            futures = [self._threads.submit(self._run, call, barrier) for call in calls]
            opened_at = opened()
            answers = [future.result() for future in futures]
        self.requests += len(answers)
        for answer in answers:
            LEDGER.note(answer.status)
        took = max(answer.ended for answer in answers) - max(opened_at, min(answer.began for answer in answers))
        self.longest = max(self.longest, (took, self._name))
        faults = [answer.content.decode() for answer in answers if answer.status >= 500]
        assert faults == [], self.stack.words()[-3000:]
        assert took < LONGEST_ROUND, f"took {took:.3f} s"
        return answers

    def people(self, name: str, count: int = RIVALS) -> list[Person]:
        """Register several people."""
        return [self.stack.register(name) for _ in range(count)]

    def ask(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Return the rows of a statement as tuples."""
        with self.database.cursor() as cursor:
            cursor.execute(statement, parameters)
            return [tuple(row.values()) for row in cursor.fetchall()]

    def mails(self) -> Counter[str]:
        """Return how many mails about each subject were accepted, when none is left to be sent."""
        unsent = "SELECT kind, status, last_error FROM emails WHERE status <> 'sent'"
        eventually(lambda: not self.ask(unsent), within=60 + ROUNDS, saying=self.stack.words)
        return Counter(self.mailbox.subjects)

    @contextmanager
    def _closed(self, gate: str) -> Iterator[Callable[[], float]]:
        """Hold writers behind a lock; yield what opens the gate and tells when."""
        if not gate:
            yield lambda: 0.0
            return
        with closing(psycopg2.connect(self.database_url)) as holder, holder.cursor() as cursor:
            cursor.execute(gate)

            def open_gate() -> float:
                deadline = time.monotonic() + _LONGEST_HELD
                while self._held() < _ENOUGH_HELD and time.monotonic() < deadline:
                    time.sleep(_POLL_SECONDS)
                holder.rollback()
                return time.monotonic()

            yield open_gate

    def _held(self) -> int:
        waiting = "wait_event_type = 'Lock' AND datname = current_database()"
        return self.ask(f"SELECT count(*) FROM pg_stat_activity WHERE {waiting}")[0][0]

    def _deadlocks(self) -> int:
        return self.ask("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")[0][0]

    def close(self) -> None:
        """Leave the connections and an empty database."""
        self._threads.shutdown()
        with self.database.cursor() as cursor:
            delete_all(cursor)

    def __str__(self) -> str:
        return (
            f"{self.races} races, {self.rounds} rounds, {self.requests} requests, "
            f"{len(self.anomalies)} anomalies, longest round {self.longest[0]:.3f} s ({self.longest[1]})"
        )

    def _run(self, call: Call, barrier: threading.Barrier) -> Answer:
        connection = self._connection()
        headers = {"Content-Type": "application/json", **call.headers}
        if call.token is not None:
            headers["Authorization"] = f"Bearer {call.token}"
        body = None if call.body is None else orjson.dumps(call.body)
        barrier.wait(_PATIENCE)
        began = time.monotonic()
        try:
            connection.request(call.method, PREFIX + call.path, body, headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            raise
        return Answer(response.status, response.msg, content, began, time.monotonic())

    def _connection(self) -> http.client.HTTPConnection:
        """Return the connection of this thread, connected before the race begins."""
        if not hasattr(self._local, "connection"):
            address = urlsplit(self.stack.url)
            self._local.connection = http.client.HTTPConnection(address.hostname, address.port, timeout=_PATIENCE)
        if self._local.connection.sock is None:
            self._local.connection.connect()
        return self._local.connection


def writers_of(*tables: str) -> str:
    """Return the gate that holds whoever writes into tables."""
    return f"LOCK TABLE {', '.join(tables)} IN EXCLUSIVE MODE"


def tally(answers: Iterable[Answer]) -> dict[Any, int]:
    """Count answers by status, and refusals by status and code."""
    return dict(Counter(answer.status if answer.status < 400 else (answer.status, answer.code) for answer in answers))


def only(answers: Iterable[Answer], status: int) -> Answer:
    """Return the one answer with a status."""
    found = [answer for answer in answers if answer.status == status]
    assert len(found) == 1, f"{len(found)} answers with {status}"
    return found[0]


@contextmanager
def open_arena(request: pytest.FixtureRequest, folder: Path) -> Iterator[Arena]:
    """Start everything, and say at the end in one line how it went."""
    database = request.getfixturevalue("connection")
    mailbox = Mailbox()
    with HTTPServer(threaded=True) as provider:
        provider.expect_request("/emails", "POST").respond_with_handler(mailbox)
        settings = {
            "EMAIL_PROVIDER": "resend",
            "EMAIL_API_KEY": KEY,
            "EMAIL_API_BASE_URL": provider.url_for(""),
            "EMAIL_RATE_LIMIT": 6000,
            "RATE_LIMIT_REGISTER": "1000000 per minute",
            "RATE_LIMIT_GUESTS": "1000000 per minute",
            "RATE_LIMIT_GUEST_MAILS_PER_RECIPIENT": "",
            "RATE_LIMIT_GUEST_MAILS_PER_EVENT_TYPE": "",
            "RATE_LIMIT_GUEST_MAILS_PER_ADDRESS": "",
            "HOLDS_PER_ADDRESS": 10_000,
        }
        urls = {name: request.getfixturevalue(name) for name in ("database_url", "redis_url")}
        with running(folder, **urls, **settings) as stack:
            arena = Arena(stack, mailbox, database, urls["database_url"])
            try:
                yield arena
            finally:
                arena.close()
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        sys.stdout.write(f"\n{Path(request.node.name).stem}: {arena}\n")
