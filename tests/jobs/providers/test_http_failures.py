"""Providers over real HTTP that are away, hang up, trickle or talk nonsense."""

import socket
import ssl
import threading
import time

import pytest
from pytest_httpserver import HTTPServer

from jobs.providers.connection import TimedBody
from jobs.providers.http import ANSWER_BYTES, Timeouts
from jobs.providers.provider import Failure
from jobs.providers.resend import Resend
from tests.jobs.providers.messages import MESSAGE, refusal_of
from tests.jobs.servers import full_server, make_certificate, read_request, reset, tcp_server, trickle

KEY = "re_secret_key"
HURRY = Timeouts(connect=1.0, answer=1.0, total=8.0)
# What a test that would last much longer without its limit may take on a machine that is busy.
SOON = 6.0


@pytest.fixture
def released():
    event = threading.Event()
    yield event
    event.set()


def refusal_by_server(talk):
    with tcp_server(talk) as port:
        return refusal_of(Resend(KEY, f"http://127.0.0.1:{port}", HURRY))


def test_a_provider_that_is_away_has_received_nothing():
    with tcp_server(reset) as port:
        pass
    assert refusal_of(Resend(KEY, f"http://127.0.0.1:{port}", HURRY)).failure is Failure.TRANSIENT


def test_a_name_that_is_unknown_has_received_nothing():
    assert refusal_of(Resend(KEY, "http://provider.invalid", Timeouts())).failure is Failure.TRANSIENT


def test_a_provider_that_never_accepts_has_received_nothing():
    with full_server() as port:
        assert refusal_of(Resend(KEY, f"http://127.0.0.1:{port}", HURRY)).failure is Failure.TRANSIENT


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 2"])
@pytest.mark.parametrize("end", [reset, lambda connection: connection.close()])
def test_an_answer_that_breaks_off_leaves_us_in_doubt(start, end):
    def talk(connection):
        read_request(connection)
        connection.sendall(start)
        end(connection)

    assert refusal_by_server(talk).failure is Failure.AMBIGUOUS


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x00\xff\x00\xff" * 100,
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000,
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * 100_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ],
)
def test_garbage_leaves_us_in_doubt(garbage):
    def talk(connection):
        read_request(connection)
        connection.sendall(garbage)

    assert refusal_by_server(talk).failure is Failure.AMBIGUOUS


def test_silence_leaves_us_in_doubt(released):
    def talk(connection):
        read_request(connection)
        released.wait(20)

    started = time.monotonic()
    assert refusal_by_server(talk).failure is Failure.AMBIGUOUS
    assert time.monotonic() - started < SOON


def test_headers_that_trickle_are_cut_off(released):
    def talk(connection):
        read_request(connection)
        trickle(connection, b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 1000, released)

    started = time.monotonic()
    assert refusal_by_server(talk).failure is Failure.AMBIGUOUS
    assert time.monotonic() - started < SOON


def test_a_sign_of_life_does_not_start_the_clock_anew(released):
    def talk(connection):
        read_request(connection)
        released.wait(2)
        connection.sendall(b"HTTP/1.1 ")
        released.wait(20)

    started = time.monotonic()
    with tcp_server(talk) as port:
        timeouts = Timeouts(connect=1.0, answer=3.0, total=20.0)
        assert refusal_of(Resend(KEY, f"http://127.0.0.1:{port}", timeouts)).failure is Failure.AMBIGUOUS
    assert time.monotonic() - started < 4.5


@pytest.mark.parametrize("head", [b"Content-Length: 1000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n3E8\r\n"])
def test_a_body_that_trickles_does_not_undo_success(released, head):
    def talk(connection):
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + head)
        trickle(connection, b" " * 1000, released)

    started = time.monotonic()
    with tcp_server(talk) as port:
        assert Resend(KEY, f"http://127.0.0.1:{port}", HURRY).send(MESSAGE) == ""
    assert time.monotonic() - started < SOON


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 100\r\n\r\n{",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"Content-Encoding: gzip\r\n\r\nx",
    ],
)
def test_a_body_that_breaks_does_not_undo_success(rest):
    def talk(connection):
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + rest)

    with tcp_server(talk) as port:
        assert Resend(KEY, f"http://127.0.0.1:{port}", HURRY).send(MESSAGE) == ""


@pytest.mark.parametrize("status", [200, 307])
def test_a_body_without_an_end_is_read_to_the_cap_only(status):
    sent = []
    hung_up = threading.Event()

    def talk(connection):
        read_request(connection)
        connection.sendall(f"HTTP/1.1 {status} So\r\nLocation: http://[x\r\n\r\n".encode())
        try:
            while True:
                connection.sendall(b" " * ANSWER_BYTES)
                sent.append(ANSWER_BYTES)
        except OSError:
            hung_up.set()

    with tcp_server(talk) as port:
        provider = Resend(KEY, f"http://127.0.0.1:{port}", Timeouts())
        if status == 200:
            assert provider.send(MESSAGE) == ""
        else:
            refusal_of(provider)
        assert hung_up.wait(5)
    assert sum(sent) < 16 * 1024 * 1024  # what the buffers of both sockets hold


def test_a_certificate_that_nobody_signed_is_refused(tmp_path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*make_certificate(tmp_path))
    with HTTPServer(ssl_context=context) as server:
        server.expect_request("/emails").respond_with_data("{}")
        error = refusal_of(Resend(KEY, server.url_for(""), Timeouts()))
        assert error.failure is Failure.CONFIGURATION
        assert not server.log


def test_a_body_does_not_leave_after_its_deadline():
    assert TimedBody(b"body", 60).read() == b"body"
    with pytest.raises(TimeoutError):
        TimedBody(b"body", 0).read()


def test_an_attempt_that_was_given_up_sends_nothing_later(monkeypatch, released):
    received = []
    ended = threading.Event()

    def talk(connection):
        with connection.makefile("rb") as stream:
            received.append(stream.read())
        ended.set()

    look_up = socket.getaddrinfo

    def slow_look_up(*arguments, **options):
        released.wait(20)
        return look_up(*arguments, **options)

    with tcp_server(talk) as port:
        monkeypatch.setattr(socket, "getaddrinfo", slow_look_up)  # a name service that takes its time
        timeouts = Timeouts(connect=0.1, answer=0.1, total=0.3)
        started = time.monotonic()
        assert refusal_of(Resend(KEY, f"http://localhost:{port}", timeouts)).failure is Failure.AMBIGUOUS
        assert time.monotonic() - started < SOON
        released.set()
        assert ended.wait(5)
    assert MESSAGE.text.encode()[:5] not in b"".join(received)
