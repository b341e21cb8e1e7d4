"""From an HTTP request to a mail in a mailbox: gunicorn, PostgreSQL, Redis and `rq worker` as they are deployed."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial

import psutil
import psycopg2
import pytest
from aiosmtpd.controller import Controller
from redis import Redis

from scripts.stack.servers import Valkey
from tests.jobs.providers.messages import read_mail, text_of
from tests.mailbox import KEY, Mailbox
from tests.people import time_on
from tests.stack import STOP_SECONDS, running
from tests.waiting import eventually


@pytest.fixture
def mailbox(httpserver):
    mailbox = Mailbox()
    httpserver.expect_request("/emails", "POST").respond_with_handler(mailbox)
    return mailbox


@pytest.fixture
def through_resend(mailbox, httpserver):
    return {"EMAIL_PROVIDER": "resend", "EMAIL_API_KEY": KEY, "EMAIL_API_BASE_URL": httpserver.url_for("")}


@pytest.fixture
def run(tmp_path, database, database_url):
    return partial(running, tmp_path, database_url=database_url)


@pytest.fixture
def stack(run, redis_url, through_resend):
    with run(redis_url=redis_url, **through_resend) as stack:
        yield stack


@pytest.fixture
def valkey(tmp_path):
    with Valkey(tmp_path / "valkey") as valkey:
        yield valkey


def mail_about(subject, mailbox, stack, within=15.0):
    return eventually(lambda: mailbox.about(subject), within=within, saying=stack.words)


def statuses(database):
    with database.cursor() as cursor:
        cursor.execute("SELECT kind, status FROM emails ORDER BY id")
        return [(row["kind"], row["status"]) for row in cursor.fetchall()]


def waits_for_lock(database):
    with database.cursor() as cursor:
        cursor.execute("SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
        return cursor.rowcount


def is_listening(valkey):
    """Tell whether a worker waits for a job, which is one blocked command."""
    with Redis.from_url(valkey.url) as redis:
        return redis.info("clients")["blocked_clients"] > 0


def test_every_write_becomes_its_mail(stack, mailbox, database):
    alice, bob = stack.register("Alice"), stack.register("Bob")
    booking = alice.booking("Standup <daily>", day=3, hour=9)
    assert alice.delete(f"/bookings/{booking['id']}").status_code == 200
    alice.organization("Acme & Sons", bob)

    welcome = mail_about("Welcome, Alice", mailbox, stack)
    confirmed = mail_about("Booking confirmed: Standup <daily>", mailbox, stack)
    cancelled = mail_about("Booking cancelled: Standup <daily>", mailbox, stack)
    invited = mail_about("You have been added to Acme & Sons", mailbox, stack)

    assert [mail["to"] for mail in (welcome, confirmed, cancelled, invited)] == [
        [alice.email],
        [alice.email],
        [alice.email],
        [bob.email],
    ]
    assert "Hello Alice," in welcome["text"]
    assert "Your booking is confirmed." in confirmed["text"]
    assert f"{time_on(3):%A}, {time_on(3).day} {time_on(3):%B %Y}, 09:00" in confirmed["text"]
    assert "Standup <daily>" in confirmed["text"]
    assert "Standup &lt;daily&gt;" in confirmed["html"]
    assert "Your booking is cancelled" in cancelled["text"]
    assert "Acme & Sons as a member" in invited["text"]
    assert "Acme &amp; Sons" in invited["html"]
    assert all("<html" in mail["html"] for mail in (welcome, confirmed, cancelled, invited))

    # Nobody but the one who did something is written to, and nothing is sent twice.
    eventually(lambda: {status for _, status in statuses(database)} == {"sent"}, saying=stack.words)
    assert sorted(mailbox.subjects) == sorted(
        [
            "Welcome, Alice",
            "Welcome, Bob",
            "Booking confirmed: Standup <daily>",
            "Booking cancelled: Standup <daily>",
            "You have been added to Acme & Sons",
        ]
    )
    assert len(mailbox.offers) == len(mailbox.mails)
    about_booking = [subject for subject in mailbox.subjects if subject.startswith("Booking")]
    assert about_booking == ["Booking confirmed: Standup <daily>", "Booking cancelled: Standup <daily>"]


def test_line_of_the_worker_leads_to_the_request(stack, mailbox):
    stack.client.post(
        "/auth/register",
        {"name": "Alice", "email": "alice@example.com", "password": "correct horse"},
        headers={"X-Request-ID": "a-request.of:ours"},
    )
    mail_about("Welcome, Alice", mailbox, stack)

    def lines_about_the_request(process):
        return [line for line in process.lines if line.get("request_id") == "a-request.of:ours"]

    eventually(lambda: lines_about_the_request(stack.worker), saying=stack.words)
    (line,) = lines_about_the_request(stack.worker)
    assert (line["event"], line["kind"], line["attempt"], line["level"]) == ("email_sent", "WELCOME", 1, "info")
    (line,) = eventually(lambda: lines_about_the_request(stack.web), saying=stack.words)
    assert (line["event"], line["path"], line["status"]) == ("request", "/api/v1/auth/register", 201)


def test_sigterm_ends_everything_in_order(stack, mailbox):
    stack.register("Alice")
    mail_about("Welcome, Alice", mailbox, stack)
    everyone = [*stack.web.family, *stack.worker.family]
    for process in (stack.web, stack.worker):
        assert process.stop(within=STOP_SECONDS) == 0, stack.words()
    assert [member for member in everyone if member.is_running() and member.status() != psutil.STATUS_ZOMBIE] == []
    assert "Traceback" not in stack.words()


def test_request_in_hand_is_answered_before_the_api_ends(stack, database, database_url):
    rival = psycopg2.connect(database_url)
    with closing(rival), rival.cursor() as cursor, ThreadPoolExecutor() as threads:
        cursor.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        registering = threads.submit(stack.register, "Alice")
        eventually(lambda: waits_for_lock(database), saying=stack.words)
        stack.web.popen.terminate()
        eventually(lambda: "Handling signal: term" in stack.web.output, within=1, saying=stack.words)
        rival.rollback()
        assert registering.result().id
    assert stack.web.stop() == 0


def test_mail_reaches_a_mail_server(run, redis_url, mail_server, database):
    with run(
        redis_url=redis_url,
        EMAIL_PROVIDER="smtp",
        SMTP_HOST=mail_server.hostname,
        SMTP_PORT=mail_server.port,
        EMAIL_FROM="Scheduling <noreply@example.com>",
    ) as stack:
        alice = stack.register("Alïce")
        eventually(lambda: mail_server.handler.contents, saying=stack.words)
        eventually(lambda: statuses(database) == [("WELCOME", "sent")], saying=stack.words)
    (content,) = mail_server.handler.contents
    mail = read_mail(content)
    assert (mail["Subject"], mail["To"], mail["From"]) == (
        "Welcome, Alïce",
        alice.email,
        "Scheduling <noreply@example.com>",
    )
    assert text_of(mail).startswith("Hello Alïce,\n")
    assert "<html" in mail.get_body(("html",)).get_content()


def test_mail_does_not_need_redis(run, valkey, mailbox, database, through_resend):
    with run(redis_url=valkey.url, **through_resend) as stack:
        alice = stack.register("Alice")
        mail_about("Welcome, Alice", mailbox, stack)
        worker = stack.worker.pid

        valkey.kill()
        for number in range(5):
            started = time.monotonic()
            answer = alice.book(f"Without Redis {number}", day=number + 1)
            assert answer.status_code == 201
            # Waiting for a Redis that is away would take seconds.
            assert time.monotonic() - started < 1
        for number in range(5):
            mail_about(f"Booking confirmed: Without Redis {number}", mailbox, stack, within=30)

        valkey.start()
        alice.booking("With Redis", day=9)
        mail_about("Booking confirmed: With Redis", mailbox, stack, within=30)
        eventually(lambda: is_listening(valkey), within=30, saying=stack.words)
        assert (stack.worker.is_alive, stack.worker.pid) == (True, worker)
        eventually(lambda: {status for _, status in statuses(database)} == {"sent"}, saying=stack.words)
        assert len(mailbox.offers) == len(mailbox.mails) == 7
        assert (stack.web.stop(), stack.worker.stop()) == (0, 0)


def test_silent_redis_holds_up_nobody(run, valkey, mailbox, through_resend):
    with run(redis_url=valkey.url, **through_resend) as stack:
        alice = stack.register("Alice")
        mail_about("Welcome, Alice", mailbox, stack)
        valkey.pause()
        started = time.monotonic()
        for number in range(10):
            alice.booking(f"Silence {number}", day=number + 1)
        # Waiting for a Redis that is silent would take half a second each.
        assert time.monotonic() - started < 3
        for number in range(10):
            mail_about(f"Booking confirmed: Silence {number}", mailbox, stack, within=30)
        valkey.resume()
        alice.booking("Speech", day=20)
        mail_about("Booking confirmed: Speech", mailbox, stack, within=30)
        assert stack.worker.is_alive


def test_worker_that_starts_before_redis_waits_for_it(run, valkey, mailbox, through_resend):
    valkey.kill()
    with run(redis_url=valkey.url, **through_resend) as stack:
        stack.register("Alice")
        mail_about("Welcome, Alice", mailbox, stack, within=30)
        valkey.start()
        eventually(lambda: is_listening(valkey), within=30, saying=stack.words)
        stack.register("Bob")
        mail_about("Welcome, Bob", mailbox, stack)
        assert stack.worker.is_alive


class Keeper:
    """Keep what a mail server is handed."""

    def __init__(self):
        self.contents = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        """Accept."""
        self.contents.append(envelope.original_content)
        return "250 OK"


class Server(Controller):
    """Listen on whatever port is free."""

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture
def mail_server():
    server = Server(Keeper(), hostname="127.0.0.1", port=0)
    server.start()
    yield server
    server.stop()
