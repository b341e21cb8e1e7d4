"""Mail over real SMTP: what is handed over, and what each reply means."""

import ssl

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from jobs.providers import mime
from jobs.providers.provider import Failure
from jobs.providers.smtp import Smtp, Stage, classify
from tests.jobs.providers.messages import (
    CALENDAR,
    INVITATION,
    MESSAGE,
    calendars_of,
    read_mail,
    refusal_of,
    text_of,
    write_message,
)
from tests.jobs.servers import make_certificate

HOST = "127.0.0.1"


class Mailbox:
    """Keep what arrives; answer what a test says."""

    def __init__(self, **replies):
        self.envelopes = []
        self.replies = replies

    async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: N802
        """Answer to the sender."""
        envelope.mail_from = address
        return self.replies.get("sender", "250 OK")

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        """Answer to the recipient."""
        envelope.rcpt_tos.append(address)
        return self.replies.get("recipient", "250 OK")

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        """Answer to the content."""
        self.envelopes.append(envelope)
        return self.replies.get("content", "250 OK")


class Server(Controller):
    """Listen on whatever port is free."""

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture
def start_server():
    servers = []

    def start(mailbox, **options):
        server = Server(mailbox, hostname=HOST, port=0, **options)
        server.start()
        servers.append(server)
        return server.port

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def certificate(tmp_path):
    return make_certificate(tmp_path)


@pytest.fixture
def tls(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


@pytest.fixture
def trusted(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))


def refusal_by(port, message=MESSAGE, *, host=HOST, user="", password="", secure=False):
    provider = Smtp(host, port, user, password, secure=secure)
    return refusal_of(provider, message)


def test_the_server_receives_the_mail(start_server):
    mailbox = Mailbox()
    port = start_server(mailbox)
    assert Smtp(HOST, port).send(MESSAGE) == mime.message_id(MESSAGE)
    (envelope,) = mailbox.envelopes
    assert envelope.mail_from == "noreply@example.com"
    assert envelope.rcpt_tos == [MESSAGE.to]
    mail = read_mail(envelope.content)
    assert mail["Subject"] == MESSAGE.subject
    assert mail["From"] == MESSAGE.sender
    assert mail["Message-ID"] == mime.message_id(MESSAGE)


def test_the_server_receives_the_calendar_unharmed(start_server):
    mailbox = Mailbox()
    Smtp(HOST, start_server(mailbox)).send(INVITATION)
    mail = read_mail(mailbox.envelopes[0].content)
    assert text_of(mail) == MESSAGE.text
    assert calendars_of(mail)[1] == [CALENDAR.encode()] * 2


@pytest.mark.parametrize("message", [MESSAGE, INVITATION], ids=["plain", "invitation"])
def test_every_attempt_hands_over_the_same_bytes(start_server, message):
    mailbox = Mailbox()
    port = start_server(mailbox)
    for _ in range(2):
        Smtp(HOST, port).send(message)
    first, second = mailbox.envelopes
    assert first.content == second.content == mime.encode(message)


def test_a_line_that_begins_with_a_dot_arrives_whole(start_server):
    mailbox = Mailbox()
    text = "before\n.\n..\n.after\n"
    Smtp(HOST, start_server(mailbox)).send(write_message(text=text))
    assert text_of(read_mail(mailbox.envelopes[0].content)) == text


def test_an_address_beyond_ascii_needs_a_server_that_takes_it(start_server):
    mailbox = Mailbox()
    message = write_message(to="zoë@example.com", reply_to=("zoé@example.com",))
    Smtp(HOST, start_server(mailbox, enable_SMTPUTF8=True)).send(message)
    assert mailbox.envelopes[0].rcpt_tos == ["zoë@example.com"]
    mail = read_mail(mailbox.envelopes[0].content)
    assert (mail["To"], mail["Reply-To"]) == ("zoë@example.com", "zoé@example.com")
    assert refusal_by(start_server(mailbox, enable_SMTPUTF8=False), message).failure is Failure.PERMANENT


@pytest.mark.parametrize(
    ("stage", "reply", "failure"),
    [
        ("sender", "421 busy", Failure.TRANSIENT),
        ("sender", "451 later", Failure.TRANSIENT),
        ("sender", "530 log in first", Failure.CONFIGURATION),
        ("sender", "553 not your address", Failure.CONFIGURATION),
        ("recipient", "421 busy", Failure.TRANSIENT),
        ("recipient", "450 greylisted", Failure.REJECTED),
        ("recipient", "451 greylisted", Failure.REJECTED),
        ("recipient", "452 mailbox full", Failure.REJECTED),
        ("recipient", "530 log in first", Failure.CONFIGURATION),
        ("recipient", "550 unknown", Failure.PERMANENT),
        ("recipient", "551 moved", Failure.PERMANENT),
        ("recipient", "552 too big", Failure.PERMANENT),
        ("recipient", "553 no address", Failure.PERMANENT),
        ("recipient", "554 no", Failure.PERMANENT),
        ("content", "421 busy", Failure.TRANSIENT),
        ("content", "451 later", Failure.TRANSIENT),
        ("content", "552 too big", Failure.PERMANENT),
        ("content", "554 spam", Failure.PERMANENT),
        ("content", "354 what", Failure.AMBIGUOUS),
    ],
)
def test_each_reply_has_its_class(start_server, stage, reply, failure):
    error = refusal_by(start_server(Mailbox(**{stage: reply})))
    assert error.failure is failure
    assert error.reason == f"The mail server answered {reply[:3]} to the {stage}."


@pytest.mark.parametrize("code", [-1, 0, 199, 299, 399, 600, 999])
@pytest.mark.parametrize("stage", Stage)
def test_a_strange_code_is_never_final(stage, code):
    assert classify(stage, code) in {Failure.TRANSIENT, Failure.AMBIGUOUS}


@pytest.mark.parametrize("password", ["wrong", "пароль"])
def test_a_refused_login_calls_for_a_person(start_server, password):
    port = start_server(
        Mailbox(), authenticator=lambda *_: AuthResult(success=False, handled=False), auth_require_tls=False
    )
    error = refusal_by(port, user="alice", password=password)
    assert error.failure is Failure.CONFIGURATION
    assert password not in error.reason


def test_a_server_without_logins_calls_for_a_person(start_server):
    error = refusal_by(start_server(Mailbox(), auth_require_tls=True), user="alice", password="secret")
    assert error.failure is Failure.CONFIGURATION


def test_a_password_travels_under_starttls(start_server, tls, trusted):
    mailbox, seen = Mailbox(), []

    def authenticate(server, session, envelope, mechanism, data):
        seen.append((data, session.ssl is not None))
        return AuthResult(success=True)

    port = start_server(mailbox, tls_context=tls, authenticator=authenticate, auth_required=True)
    Smtp("localhost", port, "alice", "secret").send(MESSAGE)
    assert seen == [(LoginPassword(b"alice", b"secret"), True)]
    assert len(mailbox.envelopes) == 1


def test_secure_speaks_tls_from_the_first_byte(start_server, tls, trusted):
    mailbox = Mailbox()
    Smtp("localhost", start_server(mailbox, ssl_context=tls), secure=True).send(MESSAGE)
    assert len(mailbox.envelopes) == 1


@pytest.mark.parametrize("secure", [True, False])
def test_a_certificate_that_nobody_signed_is_refused(start_server, tls, secure):
    mailbox = Mailbox()
    port = start_server(mailbox, **({"ssl_context": tls} if secure else {"tls_context": tls}))
    assert refusal_by(port, host="localhost", secure=secure).failure is Failure.CONFIGURATION
    assert not mailbox.envelopes
