"""Many mails at once: side by side, each once, each booking in its order, and nobody waits for who is slow."""

import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

import orjson
import psycopg2
import pytest
from structlog.testing import capture_logs

from jobs.delivery.preparation import OFFER_WITHIN_SECONDS
from jobs.providers.resend import Resend
from tests.jobs.rows import DATA
from tests.jobs.servers import read_request, tcp_server
from tests.mailbox import KEY
from tests.waiting import eventually

ACCEPTED = b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"id":"re_1"}'


@dataclass
class Crowd:
    """A provider that talks to many at once; who is called Slow waits until released."""

    subjects: list[str] = field(default_factory=list)
    in_hand: int = 0
    most_in_hand: int = 0
    released: threading.Event = field(default_factory=threading.Event)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def talk(self, connection):
        """Answer the mails of one connection."""
        while True:
            subject = orjson.loads(read_request(connection).partition(b"\r\n\r\n")[2])["subject"]
            with self.guard:
                self.subjects.append(subject)
                self.in_hand += 1
                self.most_in_hand = max(self.most_in_hand, self.in_hand)
            if "Slow" in subject:
                self.released.wait(8)
            with self.guard:
                self.in_hand -= 1
            connection.sendall(ACCEPTED)


@pytest.fixture
def crowd():
    crowd = Crowd()
    yield crowd
    crowd.released.set()


@pytest.fixture
def make_sender(make_delivery, crowd):
    """Make deliveries that offer several mails at once."""
    with ExitStack() as stack:
        url = f"http://127.0.0.1:{stack.enter_context(tcp_server(crowd.talk))}"

        def make(concurrency=8, **settings):
            delivery = make_delivery(concurrency=concurrency, rate_limit=6000, **settings)
            delivery.pool.provider = Resend(KEY, url)
            return delivery

        yield make


@pytest.fixture
def in_background():
    """Run something beside the test, to the end of which the test waits."""
    with ThreadPoolExecutor() as threads:
        yield threads.submit


def test_mails_are_offered_side_by_side_as_many_as_are_allowed(make_sender, rows, crowd, in_background):
    for _ in range(10):
        rows.promise(data={"name": "Slow"})
    draining = in_background(make_sender(concurrency=3).drain)
    eventually(lambda: crowd.in_hand == 3)
    # What is not in hand is not claimed: another worker may take it, and a kill delays no more than these.
    assert rows.ask("SELECT sum(attempts) FROM emails")["sum"] == 3
    crowd.released.set()
    assert draining.result() is None
    assert rows.statuses() == ["sent"] * 10
    assert (crowd.most_in_hand, len(crowd.subjects)) == (3, 10)


def test_slow_mail_holds_up_nobody(make_sender, rows, crowd, in_background):
    slow = rows.promise(data={"name": "Slow"})
    for _ in range(20):
        rows.promise()
    draining = in_background(make_sender(concurrency=2).drain)
    eventually(lambda: rows.statuses() == ["pending"] + ["sent"] * 20)
    late = rows.promise(data={"name": "Late"})
    eventually(lambda: rows[late]["status"] == "sent")
    assert rows[slow]["status"] == "pending"
    crowd.released.set()
    draining.result()
    assert rows[slow]["status"] == "sent"


def test_two_workers_send_every_mail_once_and_each_booking_in_order(make_sender, rows, crowd, in_background):
    expected = defaultdict(list)
    bookings = [rows.booking() for _ in range(25)]
    for kind, words in (("BOOKING_CONFIRMATION", "confirmed"), ("BOOKING_CANCELLED", "cancelled")) * 2:
        for booking_id in bookings:
            rows.promise(kind, data={**DATA, "title": str(booking_id)}, booking_id=booking_id)
            expected[str(booking_id)].append(f"Booking {words}: {booking_id}")
    for draining in [in_background(make_sender().drain) for _ in range(2)]:
        draining.result()
    assert rows.statuses() == ["sent"] * 100
    offered = defaultdict(list)
    for subject in crowd.subjects:
        offered[subject.partition(": ")[2]].append(subject)
    assert offered == expected


def test_who_is_told_to_stop_finishes_the_mails_in_hand_only(make_sender, rows, crowd, in_background):
    for _ in range(6):
        rows.promise(data={"name": "Slow"})
    delivery = make_sender(concurrency=4)
    draining = in_background(delivery.drain)
    eventually(lambda: crowd.in_hand == 4)
    delivery.stop()
    crowd.released.set()
    draining.result()
    assert sorted(rows.statuses()) == ["pending"] * 2 + ["sent"] * 4
    assert rows.ask("SELECT sum(attempts) FROM emails")["sum"] == 4


def test_mails_in_hand_are_settled_though_nothing_more_can_be_claimed(make_sender, rows, crowd, in_background):
    for _ in range(4):
        rows.promise(data={"name": "Slow"})
    draining = in_background(make_sender(concurrency=4).drain)
    eventually(lambda: crowd.in_hand == 4)
    rows.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;"
        "CREATE TRIGGER refuse BEFORE UPDATE ON emails FOR EACH ROW WHEN (new.fence <> old.fence)"
        " EXECUTE FUNCTION refuse()"
    )
    try:
        late = rows.promise()
        crowd.released.set()
        with pytest.raises(psycopg2.errors.RaiseException):
            draining.result()
    finally:
        rows.execute("DROP TRIGGER refuse ON emails; DROP FUNCTION refuse()")
    assert rows.statuses() == ["sent"] * 4 + ["pending"]
    assert rows[late]["attempts"] == 0


class Defective:
    """A provider with a fault of its own."""

    def send(self, message):
        """Fail as no provider may."""
        if message.subject == "Welcome, Poison":
            raise ZeroDivisionError
        return ""


def test_fault_of_one_mail_harms_no_other(make_sender, rows):
    delivery = make_sender()
    delivery.pool.provider = Defective()
    poison = rows.promise(data={"name": "Poison"})
    for _ in range(5):
        rows.promise()
    with pytest.raises(ZeroDivisionError):
        delivery.drain()
    assert rows.statuses() == ["pending"] + ["sent"] * 5
    assert rows[poison]["lease_until"] is not None


def test_mail_whose_lease_is_about_to_end_is_not_offered(make_sender, rows, crowd):
    delivery = make_sender()
    email_id = rows.promise()
    claimed = delivery.store.claim(1)
    (mail,) = delivery.preparation.prepare(claimed, time.monotonic() - OFFER_WITHIN_SECONDS - 1)
    delivery.pool.offer(mail)
    assert delivery.settlement.settle(delivery.pool.answers(within=10)) == []
    assert crowd.subjects == []
    assert rows[email_id]["status"] == "pending"


def test_mails_that_fail_side_by_side_each_have_their_retry(make_sender, rows):
    delivery = make_sender()
    delivery.pool.provider = Resend(KEY, "http://127.0.0.1:9")
    email_ids = [rows.promise() for _ in range(5)]
    with capture_logs() as lines:
        wait = delivery.drain()
    assert [rows[email_id]["last_failure"] for email_id in email_ids] == ["transient"] * 5
    # The first of them is come back for.
    assert wait == pytest.approx(min(line["wait_seconds"] for line in lines), abs=0.1)
