"""Clients that never pause, against gunicorn as it is deployed: whoever comes later has a turn."""

import http.client
import threading
from contextlib import ExitStack
from time import monotonic
from urllib.parse import urlsplit

import pytest

from tests.stack import running
from tests.waiting import eventually

THREADS = 2


@pytest.fixture
def stack(tmp_path, database_url, redis_url):
    names = {"names": ("web",), "WEB_CONCURRENCY": 1, "WEB_THREADS": THREADS}
    with running(tmp_path, database_url=database_url, redis_url=redis_url, **names) as stack:
        yield stack


class Busy:
    """A connection that asks again as soon as it is answered."""

    def __init__(self, url):
        self.answers = 0
        self.failures = []
        self._stop = threading.Event()
        self._url = urlsplit(url)
        self._thread = threading.Thread(target=self._ask_on)
        self._thread.start()

    def _ask_on(self):
        connection = http.client.HTTPConnection(self._url.hostname, self._url.port, timeout=10)
        while not self._stop.is_set():
            connection.request("GET", "/health")
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                self.failures.append(answer.status)
            self.answers += 1
        connection.close()

    def stop(self):
        """Ask no more."""
        self._stop.set()
        self._thread.join()


@pytest.mark.parametrize("number", [THREADS - 1, THREADS, 4 * THREADS])
def test_newcomer_is_answered_while_others_never_pause(stack, number):
    with ExitStack() as ending:
        busy = [Busy(stack.url) for _ in range(number)]
        for one in busy:
            ending.callback(one.stop)
        eventually(lambda: all(one.answers > 20 for one in busy))
        longest = 0.0
        for _ in range(10):
            started = monotonic()
            assert stack.client.get("//health").status_code == 200
            longest = max(longest, monotonic() - started)
        before = [one.answers for one in busy]
        eventually(lambda: all(one.answers > told + 20 for one, told in zip(busy, before, strict=True)))
    assert longest < 1
    assert [one.failures for one in busy] == [[]] * number
