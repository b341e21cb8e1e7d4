"""Granian in the place of gunicorn, as docs/operations.md starts it: what it keeps, and what it does not."""

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from urllib.parse import urlsplit

import psycopg2
import pytest
import requests

from tests.attack.wire import Crowd, Wire, head, slowest
from tests.databases import ask
from tests.mailbox import KEY, Mailbox
from tests.stack import ROOT, Browser, running
from tests.waiting import eventually

THREADS = 4
PROCESSES = 2
CLIENTS = 12
PROMPT = 2.0
EVENT = "/api/v1/analytics/event"
GOOD = b'{"eventType": "x"}'
LARGEST = 64 * 1024


def command():
    """Return the command that the documentation names."""
    (line,) = re.findall(r"^web: (granian .*)$", (ROOT / "docs/operations.md").read_text(), re.MULTILINE)
    return line


@pytest.fixture(scope="module")
def start(tmp_path_factory, database_url, redis_url):
    """Offer to start Granian, and what else is asked for."""

    @contextmanager
    def start(*names, **settings):
        settings |= {"database_url": database_url, "redis_url": redis_url, "instead": {"web": command()}}
        settings |= {"WEB_CONCURRENCY": PROCESSES, "WEB_THREADS": THREADS}
        with running(tmp_path_factory.mktemp("granian"), names=names, **settings) as stack:
            # A process that is told to stop before it has started does not hear it.
            eventually(lambda: stack.web.output.count("Started worker") == PROCESSES, saying=stack.words)
            yield stack

    return start


@pytest.fixture(scope="module")
def stack(start):
    with start("web") as stack:
        yield stack


@pytest.fixture
def mailbox(httpserver):
    mailbox = Mailbox()
    httpserver.expect_request("/emails", "POST").respond_with_handler(mailbox)
    return mailbox


@pytest.fixture
def crowd(stack):
    """Offer many slow clients; whoever is still there at the end hangs up."""
    with ExitStack() as clients:
        yield lambda number: Crowd(clients, stack.url, number)


def is_healthy(stack):
    return stack.client.get("//health").status_code == 200


def count(database, table):
    return ask(database, f"SELECT count(*) FROM {table}")[0]["count"]


def paths(stack):
    """Count what the log says was asked for."""
    return Counter(line["path"] for line in stack.web.lines if line["event"] == "request")


def post(*lines):
    return head("POST", EVENT, "Content-Type: application/json", "Connection: close", *lines)


def padded(size):
    return GOOD[:-1] + b" " * (size - len(GOOD)) + GOOD[-1:]


def chunked(content, size=1024):
    chunks = (content[start : start + size] for start in range(0, len(content), size))
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def comparable(answer):
    """Return the headers that are the application's; the methods of Allow come in any order."""
    theirs = {"server", "date", "connection"}
    headers = {name.lower(): sorted(value.split(", ")) for name, value in answer.headers.items()}
    return {name: headers[name] for name in headers.keys() - theirs}


# What it keeps


def test_every_write_becomes_its_mail(start, mailbox, httpserver, database):
    resend = {"EMAIL_PROVIDER": "resend", "EMAIL_API_KEY": KEY, "EMAIL_API_BASE_URL": httpserver.url_for("")}
    with start("web", "worker", **resend) as stack:
        alice = stack.register("Alice")
        booking = alice.booking("Standup", day=3, hour=9)
        assert alice.delete(f"/bookings/{booking['id']}").status_code == 200
        subjects = ["Welcome, Alice", "Booking confirmed: Standup", "Booking cancelled: Standup"]
        eventually(lambda: len(mailbox.mails) == len(subjects), saying=stack.words)
        assert sorted(mailbox.subjects) == sorted(subjects)
        assert {mail["to"][0] for mail in mailbox.mails.values()} == {alice.email}
        written = {"/api/v1/auth/register", "/api/v1/bookings", f"/api/v1/bookings/{booking['id']}"}
        eventually(lambda: written <= set(paths(stack)), saying=stack.words)
        assert {paths(stack)[path] for path in written} == {1}
        assert (stack.web.stop(), stack.worker.stop()) == (0, 0)
    assert "Traceback" not in stack.words()


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("GET", "/docs", {}),
        ("HEAD", "/openapi.json", {}),
        ("OPTIONS", "/api/v1/bookings", {"headers": {"Origin": "https://a", "Access-Control-Request-Method": "POST"}}),
        ("PUT", "/health", {}),
        ("GET", "/nothing/%C3%A9?q=%20", {}),
        ("GET", "/api/v1/bookings", {}),
        ("GET", "/api/v1/bookings", {"headers": {"Authorization": "Bearer nobody"}}),
        ("POST", "/api/v1/auth/login", {"data": b"{"}),
        ("POST", "/api/v1/auth/login", {"data": b"{}", "headers": {"Content-Type": "text/plain"}}),
        ("POST", "/api/v1/auth/login", {"data": b"x" * (LARGEST + 1)}),
        ("GET", "/openapi.json", {}),
        ("GET", "/docs/swagger-ui-bundle.js", {}),
    ],
    ids=str,
)
def test_answer_is_the_one_of_the_application(stack, client, app, method, path, options):
    headers = {"Content-Type": "application/json", **options.get("headers", {}), "X-Request-ID": "one"}
    here = app.test_client().open(path, method=method, headers=headers, data=options.get("data"))
    with closing(HTTPConnection(urlsplit(stack.url).netloc)) as connection:
        connection.request(method, path, options.get("data"), headers)
        there = connection.getresponse()
        assert (there.status, comparable(there), there.read()) == (here.status_code, comparable(here), here.data)
    assert there.headers["Server"] == "granian"


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        pytest.param(post(f"Content-Length: {LARGEST}") + padded(LARGEST), 201, id="as large as may be"),
        pytest.param(post(f"Content-Length: {LARGEST + 1}") + padded(LARGEST + 1), 413, id="too large"),
        pytest.param(post("Content-Length: 70000") + GOOD, 413, id="said to be too large"),
        pytest.param(post("Transfer-Encoding: chunked") + chunked(GOOD), 201, id="chunked"),
        pytest.param(post("Transfer-Encoding: chunked") + chunked(padded(LARGEST)), 201, id="chunked, large"),
        pytest.param(post("Transfer-Encoding: chunked") + chunked(padded(LARGEST + 1)), 413, id="chunked, too large"),
        pytest.param(post("Transfer-Encoding: chunked") + b"40000000\r\n" + b" " * 70_000, 413, id="endless chunk"),
        pytest.param(post("Content-Length: 5") + GOOD, 400, id="longer than said"),
        pytest.param(post("Content-Length: -1") + GOOD, 400, id="less than nothing"),
        pytest.param(post("Content-Length: 18", "Content-Length: 5") + GOOD, 400, id="two lengths"),
        pytest.param(post("Transfer-Encoding: gzip, chunked") + chunked(GOOD), 400, id="unknown coding"),
        pytest.param(post("Transfer-Encoding: chunked") + b"zz\r\n" + GOOD, 400, id="chunk size that is none"),
        pytest.param(post("Content-Length: 18", "X: a\0") + GOOD, 400, id="NUL in a header"),
        pytest.param(post("Content-Length: 18", "X: a", " folded") + GOOD, 400, id="folded header"),
        pytest.param(head("GET", "/health", "X: " + "x" * 20_000), 431, id="large head"),
    ],
)
def test_body_is_read_up_to_its_limit_and_what_is_malformed_is_refused(stack, database, request_bytes, status):
    before = count(database, "analytics_events")
    with closing(Wire(stack.url).send(request_bytes)) as wire:
        assert wire.answers() == [status]
    assert count(database, "analytics_events") == before + (status == 201)


def test_request_after_a_body_that_was_refused_is_not_served(stack):
    smuggled = head("GET", "/api/v1/smuggled")
    for framing in ("Content-Length: 70000", "Content-Length: 4\r\nTransfer-Encoding: chunked"):
        hidden = b"%x\r\n%s\r\n0\r\n\r\n" % (len(smuggled), smuggled)
        with closing(Wire(stack.url).send(head("POST", EVENT, "Connection: close", framing) + hidden)) as wire:
            assert len(wire.answers()) == 1


def test_client_that_leaves_in_its_body_changes_nothing(stack, database):
    with closing(Wire(stack.url).send(post("Content-Length: 100", "X-Request-ID: client-that-leaves") + GOOD)):
        pass
    eventually(lambda: "client-that-leaves" in stack.web.output, saying=stack.words)
    assert count(database, "analytics_events") == 0


def test_half_sent_heads_and_silent_clients_hold_up_nobody(stack, crowd):
    crowd(40).send(b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    crowd(40)
    assert max(slowest(lambda: is_healthy(stack), until=lambda: True) for _ in range(10)) < PROMPT


def test_killed_process_is_replaced(stack):
    def at_work():
        return [process for process in stack.web.family[1:] if process.is_running()]

    before = at_work()
    assert len(before) == PROCESSES
    before[0].kill()
    eventually(lambda: len(set(at_work()) - set(before)) == 1 and is_healthy(stack), saying=stack.words)
    assert stack.web.is_alive


def test_stop_answers_all_that_was_begun(start, database, database_url):
    rival = psycopg2.connect(database_url)
    with start("web") as stack, closing(rival), rival.cursor() as cursor, ThreadPoolExecutor(CLIENTS) as threads:
        people = [stack.register(f"Person{number}") for number in range(CLIENTS)]

        def book_until_refused(person):
            answers = []
            while True:
                try:
                    answers.append(person.book(day=len(answers) + 1).status_code)
                except requests.ConnectionError:
                    return answers

        booking = [threads.submit(book_until_refused, person) for person in people]
        eventually(lambda: count(database, "bookings") > 3 * CLIENTS, saying=stack.words)
        cursor.execute("LOCK TABLE bookings IN SHARE MODE")
        waiting = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        eventually(lambda: len(ask(database, waiting)) >= THREADS, saying=stack.words)
        stack.web.popen.terminate()
        eventually(lambda: "Shutting down granian" in stack.web.output, within=1, saying=stack.words)
        rival.rollback()
        assert stack.web.stop() == 0
        answers = Counter(status for future in booking for status in future.result())
    assert set(answers) == {201}
    assert count(database, "bookings") == answers[201]


# What it is known not to keep: where one of these fails, Granian has learnt it, and docs/operations.md is to say so.


def test_half_sent_bodies_hold_every_thread_until_their_clients_leave(stack):
    half = head("POST", EVENT, "Content-Type: application/json", "Content-Length: 100") + GOOD
    with ExitStack() as clients:
        # More than there are threads: the system deals them to the processes by chance.
        Crowd(clients, stack.url, 8 * THREADS * PROCESSES).send(half)
        impatient = Browser(stack.url, patience=PROMPT)
        with pytest.raises(requests.ReadTimeout):
            [impatient.open("/health", method="GET", headers={}) for _ in range(100)]
    assert is_healthy(stack)


def test_header_with_an_underscore_counts(stack):
    with closing(Wire(stack.url).send(head("GET", "/health", "X_Request_ID: forged", "Connection: close"))) as wire:
        assert b"x-request-id: forged" in wire.read(within=PROMPT)
