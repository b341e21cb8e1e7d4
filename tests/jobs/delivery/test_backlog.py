"""Ten thousand mails wait at thirty a minute: account mail goes within seconds, and the worker does not grow."""

import time

import psutil
import pytest

from tests.mailbox import KEY, Mailbox
from tests.stack import running
from tests.waiting import eventually

MAILS, A_MINUTE, KEPT = 10_000, 30, 5
MEGABYTE = 1024 * 1024

BACKLOG = """
    INSERT INTO emails (kind, recipient, data, origin)
    SELECT 'BOOKING_CONFIRMATION', 'guest' || n || '@example.com',
           jsonb_build_object('name', 'Guest', 'booking_id', n, 'title', 'Talk', 'start_time', '2030-01-01T10:00:00Z',
                              'end_time', '2030-01-01T11:00:00Z'),
           CASE WHEN n %% 2 = 0 THEN -1 END
    FROM generate_series(1, %s) AS n"""


@pytest.fixture
def mailbox(httpserver):
    mailbox = Mailbox()
    httpserver.expect_request("/emails", "POST").respond_with_handler(mailbox)
    return mailbox


@pytest.fixture
def stack(tmp_path, rows, database_url, redis_url, mailbox, httpserver):
    rows.execute(BACKLOG, (MAILS,))
    resend = {"EMAIL_PROVIDER": "resend", "EMAIL_API_KEY": KEY, "EMAIL_API_BASE_URL": httpserver.url_for("")}
    with running(
        tmp_path, database_url=database_url, redis_url=redis_url, EMAIL_RATE_LIMIT=A_MINUTE, **resend
    ) as stack:
        yield stack


def test_welcome_overtakes_ten_thousand_mails_within_seconds(stack, mailbox):
    eventually(lambda: len(mailbox.mails) == A_MINUTE - KEPT, within=30, saying=stack.words)
    worker = psutil.Process(stack.worker.pid)
    before = worker.memory_info().rss
    for number in range(KEPT):
        began = time.monotonic()
        stack.register(f"Person{number}")
        eventually(lambda: mailbox.about(f"Welcome, Person{number}"), within=5, saying=stack.words)  # noqa: B023
        assert time.monotonic() - began < 5
    assert len(mailbox.mails) == A_MINUTE
    # Each second the sweep looks along the line.
    last_look = time.monotonic() + 5
    eventually(lambda: time.monotonic() > last_look, within=10)
    assert len(mailbox.offers) == A_MINUTE
    assert worker.memory_info().rss - before < 8 * MEGABYTE
