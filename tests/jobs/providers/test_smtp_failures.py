"""Mail servers that are away, hang up, trickle or talk nonsense, over real sockets."""

import threading
import time

import pytest

from jobs.providers import mime
from jobs.providers.provider import Failure
from jobs.providers.smtp import Smtp
from tests.jobs.providers.messages import MESSAGE, refusal_of
from tests.jobs.servers import full_server, reset, tcp_server, trickle

HOST = "127.0.0.1"
# What a test that would last much longer without its limit may take on a machine that is busy.
SOON = 6.0


@pytest.fixture
def released():
    event = threading.Event()
    yield event
    event.set()


def refusal_by(port, host=HOST):
    return refusal_of(Smtp(host, port, silence=1.0, total=2.0))


def converse(*lines, then=None):
    """Return a talk that says one line for each that it hears, and then does something."""

    def talk(connection):
        stream = connection.makefile("rb")
        for line in lines:
            connection.sendall(line + b"\r\n")
            heard = stream.readline()
            if line.startswith(b"354"):
                while heard not in {b".\r\n", b""}:
                    heard = stream.readline()
        if then:
            then(connection)

    return talk


UP_TO_CONTENT = (b"220 hello", b"250 hello", b"250 sender", b"250 recipient", b"354 go ahead")


@pytest.mark.parametrize(
    ("greeting", "failure"), [(b"421 busy", Failure.TRANSIENT), (b"554 not you", Failure.CONFIGURATION)]
)
def test_a_greeting_that_refuses_is_not_about_the_mail(greeting, failure):
    with tcp_server(converse(greeting)) as port:
        assert refusal_by(port).failure is failure


def test_a_server_that_is_away_has_received_nothing():
    with tcp_server(reset) as port:
        pass
    assert refusal_by(port).failure is Failure.TRANSIENT


def test_a_server_that_never_accepts_has_received_nothing():
    with full_server() as port:
        assert refusal_by(port).failure is Failure.TRANSIENT


def test_a_name_that_is_unknown_has_received_nothing():
    assert refusal_by(25, host="mail.invalid").failure is Failure.TRANSIENT


@pytest.mark.parametrize("spoken", range(len(UP_TO_CONTENT)))
@pytest.mark.parametrize("end", [None, reset])
def test_who_hangs_up_before_the_content_has_received_nothing(spoken, end):
    with tcp_server(converse(*UP_TO_CONTENT[:spoken], then=end)) as port:
        assert refusal_by(port).failure is Failure.TRANSIENT


@pytest.mark.parametrize("spoken", range(len(UP_TO_CONTENT)))
def test_who_falls_silent_before_the_content_has_received_nothing(spoken, released):
    with tcp_server(converse(*UP_TO_CONTENT[:spoken], then=lambda _: released.wait(5))) as port:
        assert refusal_by(port).failure is Failure.TRANSIENT


@pytest.mark.parametrize("end", [None, reset, lambda connection: connection.sendall(b"hello?\r\n")])
def test_who_hangs_up_after_the_content_leaves_us_in_doubt(end):
    with tcp_server(converse(*UP_TO_CONTENT, then=end)) as port:
        assert refusal_by(port).failure is Failure.AMBIGUOUS


def test_who_falls_silent_after_the_content_leaves_us_in_doubt(released):
    with tcp_server(converse(*UP_TO_CONTENT, then=lambda _: released.wait(5))) as port:
        assert refusal_by(port).failure is Failure.AMBIGUOUS


@pytest.mark.parametrize(("lines", "failure"), [((), Failure.TRANSIENT), (UP_TO_CONTENT, Failure.AMBIGUOUS)])
def test_a_reply_that_trickles_is_cut_off(lines, failure, released):
    def drip(connection):
        trickle(connection, b"250-slow\r\n" * 100, released)

    started = time.monotonic()
    with tcp_server(converse(*lines, then=drip)) as port:
        assert refusal_by(port).failure is failure
    assert time.monotonic() - started < SOON


@pytest.mark.parametrize("spoken", [0, 4])
def test_an_attempt_that_was_given_up_sends_nothing_later(spoken, released):
    contents = []
    ended = threading.Event()

    def talk(connection):
        try:
            converse(*UP_TO_CONTENT[:spoken])(connection)
            released.wait(5)
            converse(*UP_TO_CONTENT[spoken:4])(connection)
            connection.sendall(b"354 go ahead\r\n")
            contents.append(connection.recv(1024))
        finally:
            ended.set()

    with tcp_server(talk) as port:
        provider = Smtp(HOST, port, silence=5.0, total=0.3)
        assert refusal_of(provider).failure is Failure.TRANSIENT
        released.set()
        assert ended.wait(5)
    assert b"".join(contents) == b""


def test_a_refused_goodbye_undoes_nothing():
    with tcp_server(converse(*UP_TO_CONTENT, b"250 accepted", b"500 no", then=reset)) as port:
        assert Smtp(HOST, port).send(MESSAGE) == mime.message_id(MESSAGE)


def test_nobody_waits_for_the_goodbye(released):
    started = time.monotonic()
    with tcp_server(converse(*UP_TO_CONTENT, b"250 accepted", then=lambda _: released.wait(20))) as port:
        Smtp(HOST, port, silence=20.0, total=20.0).send(MESSAGE)
    assert time.monotonic() - started < SOON


def test_an_attempt_that_was_given_up_ends(released):
    ended = threading.Event()

    def drip(connection):
        try:
            trickle(connection, b"250-slow\r\n" * 100, released)
        except OSError:
            # Whoever hung up has left the conversation, and its thread is free for another.
            ended.set()

    with tcp_server(converse(*UP_TO_CONTENT[:2], then=drip)) as port:
        refusal_by(port)
        assert ended.wait(5)
