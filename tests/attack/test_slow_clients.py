"""Clients that are slow on purpose, and requests that are two at once, against gunicorn as it is deployed."""

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from time import sleep
from urllib.parse import urlsplit

import psutil
import pytest

from tests.attack.wire import Crowd, Wire, head, slowest
from tests.databases import ask
from tests.stack import running
from tests.waiting import eventually

CROWD = 40
# A body and a head have 3 s each; the rest is for a busy machine.
PATIENCE = 8.0
PROMPT = 2.0
LOGIN = "/api/v1/auth/login"
EVENT = "/api/v1/analytics/event"
HALF_BODY = head("POST", LOGIN, "Content-Type: application/json", "Content-Length: 100") + b'{"email": '
HALF_HEAD = b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: "
REFUSED = b"HTTP/1.1 400"


@pytest.fixture(scope="module")
def stack(tmp_path_factory, database_url, redis_url):
    folder = tmp_path_factory.mktemp("slow")
    with running(folder, database_url=database_url, redis_url=redis_url, names=("web",)) as stack:
        eventually(lambda: len(stack.web.family) == 3, saying=stack.words)
        yield stack


@pytest.fixture
def crowd(stack):
    """Offer many slow clients; whoever is still there at the end hangs up."""
    with ExitStack() as clients:
        yield lambda number=CROWD, **options: Crowd(clients, stack.url, number, **options)


@pytest.fixture(autouse=True)
def processes_survive(stack, database):
    before = {process.pid for process in stack.web.family}
    yield
    assert {process.pid for process in stack.web.family} == before, stack.words()[-2000:]


def slowest_meanwhile(stack, work):
    """Do something and ask for others' sake meanwhile; return what was done and the longest answer."""
    with ThreadPoolExecutor(1) as threads:
        doing = threads.submit(work)
        longest = slowest(lambda: healthy(stack), until=doing.done)
        return doing.result(), longest


def healthy(stack):
    assert stack.client.get("//health").status_code == 200


def connections(stack):
    """Count the connections that the server has not hung up on."""
    return sum(
        connection.status == psutil.CONN_ESTABLISHED and connection.laddr.port == urlsplit(stack.url).port
        for process in stack.web.family
        for connection in process.net_connections("tcp")
    )


def test_half_sent_requests_hold_up_nobody_and_end(stack, crowd):
    chunk = head("POST", LOGIN, "Content-Type: application/json", "Transfer-Encoding: chunked") + b"5\r\n{"
    halves = (HALF_BODY, chunk, HALF_HEAD, b"GET /heal")
    crowds = [crowd(CROWD // 4).send(half) for half in halves]
    endings, longest = slowest_meanwhile(stack, lambda: [slow.read(within=PATIENCE) for slow in crowds])
    assert [{answer[:12] for answer in answers} for answers in endings] == [{REFUSED}, {REFUSED}, {b""}, {b""}]
    assert longest < PROMPT


def test_trickled_requests_hold_up_nobody_and_end(stack, crowd):
    bodies, heads = crowd(CROWD // 2).send(HALF_BODY), crowd(CROWD // 2).send(HALF_HEAD)

    def trickle():
        # A byte now and then keeps each single read from timing out; the whole has its limit all the same.
        slowest(lambda: (bodies.send(b" "), heads.send(b"x"), sleep(0.2)), until=lambda: connections(stack) <= 1)
        return bodies.read(within=PATIENCE), heads.read(within=PATIENCE)

    (of_bodies, of_heads), longest = slowest_meanwhile(stack, trickle)
    # Who goes on sending after the refusal may lose it.
    assert {answer[:12] for answer in of_bodies} <= {REFUSED, b""}
    assert set(of_heads) == {b""}
    assert longest < PROMPT


def test_clients_that_never_read_hold_up_nobody_and_are_hung_up_on(stack, crowd):
    crowd(window=2048).send(head("GET", "/docs/swagger-ui-bundle.js") * 3)
    _, longest = slowest_meanwhile(
        stack, lambda: eventually(lambda: connections(stack) <= 1, within=2 * PATIENCE, saying=stack.words)
    )
    assert longest < PROMPT


def test_silent_clients_and_those_that_stay_after_a_refusal_hold_up_nobody(stack, crowd):
    crowd()
    crowd().send(b"not HTTP\r\n\r\n")
    crowd().send(b"GET /health HTTP/1.0\r\n\r\n")
    crowd().send(head("POST", LOGIN, "Content-Length: 70000"))
    assert max(slowest(lambda: healthy(stack), until=lambda: True) for _ in range(10)) < PROMPT


def chunked(content, size=1024):
    chunks = (content[start : start + size] for start in range(0, len(content), size))
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def post(*lines):
    return head("POST", EVENT, "Content-Type: application/json", "Connection: close", *lines)


GOOD = b'{"eventType": "x"}'


@pytest.mark.parametrize(
    ("request_bytes", "statuses"),
    [
        pytest.param(post("Transfer-Encoding: chunked") + chunked(GOOD), [201], id="chunked"),
        pytest.param(
            post("Transfer-Encoding: chunked") + chunked(GOOD + b" " * 65_536), [413], id="chunked, too large"
        ),
        pytest.param(post("Transfer-Encoding: chunked") + b"40000000\r\n" + b" " * 70_000, [413], id="endless chunk"),
        pytest.param(post("Content-Length: 70000") + GOOD, [413], id="said to be too large"),
        pytest.param(post(f"Content-Length: {10**30}") + GOOD, [413], id="said to be absurd"),
        pytest.param(post("Content-Length: 5") + GOOD, [400], id="longer than said"),
        pytest.param(post("Content-Length: -1") + GOOD, [400], id="less than nothing"),
        pytest.param(post("Content-Length: 18, 18") + GOOD, [400], id="a list of lengths"),
        pytest.param(post("Content-Length: 18", "Content-Length: 5") + GOOD, [400], id="two lengths"),
        pytest.param(post("Content-Length: 0x12") + GOOD, [400], id="length in hexadecimals"),
        pytest.param(post("Content-Length: +18") + GOOD, [400], id="length with a sign"),
        pytest.param(post("Content-Length: 1_8") + GOOD, [400], id="length as Python writes it"),
        pytest.param(post("Content-Length: \xb9\xb8") + GOOD, [400], id="length in other digits"),
        pytest.param(post("Content-Length: 18").replace(b"\r\n", b"\n") + GOOD, [400], id="bare line feeds"),
        pytest.param(post("Content-Length: 18", "X: a\nHost: y") + GOOD, [400], id="bare line feed in a header"),
        pytest.param(post("Content-Length: 18", "X: a\rHost: y") + GOOD, [400], id="bare return in a header"),
        pytest.param(post("Content-Length: 18", "X: a\0") + GOOD, [400], id="NUL in a header"),
        pytest.param(post("Content-Length: 18", "X: a", " folded") + GOOD, [400], id="folded header"),
        pytest.param(post("Content-Length : 18") + GOOD, [400], id="space before the colon"),
        pytest.param(post("Transfer-Encoding: chunked", "Content-Length: 5") + chunked(GOOD), [400], id="CL and TE"),
        pytest.param(post("Transfer-Encoding: gzip, chunked") + chunked(GOOD), [400], id="unknown coding"),
        pytest.param(post("Transfer-Encoding: identity, chunked") + chunked(GOOD), [400], id="identity"),
        pytest.param(post("Transfer-Encoding: xchunked") + chunked(GOOD), [400], id="nearly chunked"),
        pytest.param(post("Transfer-Encoding: chunked, chunked") + chunked(GOOD), [400], id="chunked twice"),
        pytest.param(post("Transfer_Encoding: chunked", "Content-Length: 18") + GOOD, [201], id="underscored coding"),
        pytest.param(post("Transfer-Encoding: chunked") + b"zz\r\n" + GOOD, [400], id="chunk size that is none"),
        pytest.param(
            post("Transfer-Encoding: chunked") + b"12\r\n" + GOOD + b"xx0\r\n\r\n", [400], id="chunk too long"
        ),
        pytest.param(post("Transfer-Encoding: chunked").replace(b"1.1", b"1.0") + chunked(GOOD), [400], id="HTTP/1.0"),
        pytest.param(b"GET /health HTTP/9.9\r\nHost: x\r\n\r\n", [400], id="unknown version"),
        pytest.param(b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n", [400], id="no URL"),
        pytest.param(b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", [414], id="long line"),
        pytest.param(head("GET", "/health", "X: " + "x" * 9000), [431], id="long header"),
        pytest.param(head("GET", "/health", *["X: x"] * 100), [431], id="many headers"),
        pytest.param(head("GET", "/health", "Expect: miracles"), [417], id="unknown expectation"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", [400], id="TLS"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400], id="HTTP/2"),
    ],
)
def test_request_that_is_not_what_it_says_is_refused(stack, database, request_bytes, statuses):
    before = ask(database, "SELECT count(*) FROM analytics_events")
    wire = Wire(stack.url).send(request_bytes)
    content = wire.read(within=PATIENCE)
    wire.close()
    answered = [int(status) for status in re.findall(rb"HTTP/1.1 (\d{3})", content)]
    assert answered == statuses, content
    assert (ask(database, "SELECT count(*) FROM analytics_events") == before) is (statuses != [201])
    assert not re.search(rb"(?i)gunicorn|python|traceback|werkzeug|/usr/", content), content
    if statuses != [201]:
        assert b"application/problem+json" in content, content


@pytest.mark.parametrize(
    "framing",
    [
        ("Content-Length: 4", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: 4"),
        ("Content-Length: 4", "Transfer-Encoding : chunked"),
        ("Content-Length: 4", "Transfer-Encoding:\tchunked"),
        ("Content-Length: 4", "Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
        ("Content-Length: 4", "Transfer-Encoding: \x0bchunked"),
    ],
    ids=str,
)
def test_second_request_inside_of_a_first_is_not_served(stack, framing):
    hidden = head("GET", "/api/v1/hidden")
    outer = (
        head("POST", EVENT, "Content-Type: application/json", *framing)
        + b"%x\r\n" % len(hidden)
        + hidden
        + b"\r\n0\r\n\r\n"
    )
    wire = Wire(stack.url).send(outer)
    content = wire.read(within=PATIENCE)
    wire.close()
    assert len(re.findall(rb"HTTP/1.1 \d{3}", content)) == 1, content
    assert b"hidden" not in content


def test_body_that_was_refused_is_no_request(stack):
    """A connection is closed after a refusal that left a body unread: its rest could be read as a request."""
    smuggled = head("GET", "/api/v1/smuggled")
    wire = Wire(stack.url).send(head("POST", LOGIN, "Content-Length: 70000") + smuggled)
    assert wire.answers() == [413]
    wire.close()


def test_every_answer_on_the_wire_bears_no_version(stack):
    content = Wire(stack.url).send(head("GET", "/health", "Connection: close")).read(within=PATIENCE)
    assert re.findall(rb"(?i)^server: (.*)\r$", content, re.MULTILINE) == [b"scheduling"]
