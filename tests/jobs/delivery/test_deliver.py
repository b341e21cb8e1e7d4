"""Claim, offer, settle: every mail once, in its order, within the limit, until it is sent or dead."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest
from structlog.testing import capture_logs

from jobs.delivery import deliver
from jobs.delivery.email_store import LEASE_SECONDS
from jobs.providers.resend import Resend
from sql.queries import emails
from tests.mailbox import KEY

PAST = "now() - interval '1 second'"
SESSIONS = "pg_stat_activity WHERE application_name = 'delivery' AND datname = current_database()"


def claim(delivery, limit=1, rate_limit=1000):
    with delivery.database.statement() as tx:
        emails.insert_rate_slots(tx, rate_slots=rate_limit)
    with delivery.database.statement() as tx:
        return emails.claim_emails(
            tx,
            kinds=delivery.store.kinds,
            limit=limit,
            lease_seconds=LEASE_SECONDS,
            rate_slots=rate_limit,
            reserved_slots=0,
            rate_window=60,
        )


def settle_sent(delivery, row):
    with delivery.database.statement() as tx:
        return emails.settle_sent(
            tx, email_ids=[row["id"]], fences=[row["fence"]], provider_message_ids=["stale"], rate_window=60
        )


def settle_dead(delivery, row):
    with delivery.database.statement() as tx:
        return emails.settle_failed(
            tx,
            email_id=row["id"],
            fence=row["fence"],
            failure="permanent",
            error="stale",
            wait_seconds=0.0,
            rejected=1,
            dead=True,
            rate_window=60,
        )


def offer(delivery, row):
    """Go on with a claimed mail as a drain does."""
    for mail in delivery.preparation.prepare([row], time.monotonic()):
        delivery.pool.offer(mail)
    delivery.settlement.settle(delivery.pool.answers(within=10))


def at_once(work, *arguments):
    """Do something in as many threads as there are arguments, all starting in one moment."""
    barrier = threading.Barrier(len(arguments))

    def start(argument):
        barrier.wait(10)
        return work(argument)

    with ThreadPoolExecutor(len(arguments)) as threads:
        return list(threads.map(start, arguments))


# One mail


def test_accepted_mail_is_sent_and_says_so(delivery, rows, mailbox):
    email_id = rows.promise()
    assert delivery.drain() is None
    row = rows[email_id]
    (offer,) = mailbox.offers
    assert (row["status"], row["attempts"], row["lease_until"], row["last_error"]) == ("sent", 1, None, None)
    assert row["settled_at"] is not None
    assert offer.key == str(row["idempotency_key"])
    assert row["provider_message_id"] == f"resend-{offer.key}"
    assert (offer.mail["from"], offer.mail["to"], offer.mail["subject"]) == (
        "noreply@example.com",
        ["alice@example.com"],
        "Welcome, Alice",
    )


def test_delivering_twice_sends_once(delivery, rows, mailbox):
    rows.promise()
    delivery.drain()
    assert delivery.drain() is None
    assert len(mailbox.offers) == 1


def test_delivering_when_nothing_is_due_does_nothing(delivery, rows, mailbox):
    assert delivery.drain() is None
    assert mailbox.offers == []


def test_line_in_the_log_names_the_mail_and_its_request_but_no_address(delivery, rows, mailbox):
    email_id = rows.promise()
    with capture_logs() as lines:
        delivery.drain()
    assert [line for line in lines if line["event"].startswith("email_")] == [
        {
            "event": "email_sent",
            "log_level": "info",
            "email_id": email_id,
            "kind": "WELCOME",
            "attempt": 1,
            "request_id": "request-1",
        }
    ]


def test_what_is_due_is_delivered_oldest_first(delivery, rows, mailbox):
    email_ids = [rows.promise(data={"name": name}) for name in ("Alice", "Bob", "Carol", "Dave")]
    rows.move(email_ids[1], next_attempt_at="now() + interval '1 minute'")
    rows.move(email_ids[3], next_attempt_at="now() - interval '1 minute'")
    delivery.drain()
    assert mailbox.subjects == ["Welcome, Dave", "Welcome, Alice", "Welcome, Carol"]


# Claims


def test_one_of_many_rivals_gets_a_mail(make_delivery, rows):
    rivals = [make_delivery() for _ in range(8)]
    claim(rivals[0])
    for _ in range(20):
        email_id = rows.promise()
        claims = at_once(claim, *rivals)
        assert sorted(len(claimed) for claimed in claims) == [0] * 7 + [1]
        assert rows[email_id]["attempts"] == 1


def test_rivals_for_whatever_is_due_share_it(make_delivery, rows):
    rivals = [make_delivery() for _ in range(8)]
    email_ids = [rows.promise() for _ in range(40)]

    def claim_on(rival):
        claimed = []
        while taken := claim(rival):
            claimed += [row["id"] for row in taken]
        return claimed

    shares = at_once(claim_on, *rivals)
    assert sorted(email_id for share in shares for email_id in share) == email_ids


def test_claimed_mail_cannot_be_claimed_until_its_lease_ends(delivery, rows):
    email_id = rows.promise()
    (first,) = claim(delivery)
    assert claim(delivery) == []
    lease = rows.ask("SELECT extract(epoch FROM lease_until - now())::float8 AS seconds FROM emails")["seconds"]
    assert LEASE_SECONDS - 5 < lease <= LEASE_SECONDS

    rows.move(email_id, lease_until="now()")
    (second,) = claim(delivery)
    assert second["fence"] > first["fence"]
    assert (second["attempts"], second["idempotency_key"]) == (2, first["idempotency_key"])


def test_mail_that_is_not_due_cannot_be_claimed(delivery, rows):
    email_id = rows.promise()
    rows.move(email_id, next_attempt_at="now() + interval '1 second'")
    assert claim(delivery) == []


@pytest.mark.parametrize("status", ["sent", "dead"])
def test_settled_mail_cannot_be_claimed(delivery, rows, status):
    email_id = rows.promise()
    rows.move(email_id, status=f"'{status}'")
    assert claim(delivery) == []


@pytest.mark.parametrize("settle", [settle_sent, settle_dead])
def test_worker_that_slept_through_its_lease_settles_nothing(delivery, rows, settle):
    email_id = rows.promise()
    (stale,) = claim(delivery)
    rows.move(email_id, lease_until=PAST)
    (current,) = claim(delivery)
    assert not settle(delivery, stale)
    row = rows[email_id]
    assert (row["status"], row["last_error"], row["rejections"]) == ("pending", None, 0)
    assert row["lease_until"] is not None
    assert settle(delivery, current)


def test_worker_that_lost_its_lease_before_it_rendered_sends_nothing(delivery, rows, mailbox):
    email_id = rows.promise()
    (stale,) = claim(delivery)
    rows.move(email_id, lease_until=PAST)
    (current,) = claim(delivery)
    offer(delivery, stale)
    assert mailbox.offers == []
    offer(delivery, current)
    assert len(mailbox.offers) == 1


@pytest.mark.parametrize("settle", [settle_sent, settle_dead])
def test_what_is_settled_stays_settled(delivery, rows, settle):
    email_id = rows.promise()
    (row,) = claim(delivery)
    settle_sent(delivery, row)
    assert not settle(delivery, row)
    assert rows[email_id]["status"] == "sent"


def test_worker_that_slept_through_its_lease_keeps_no_rendering(delivery, rows):
    email_id = rows.promise()
    (stale,) = claim(delivery)
    rows.move(email_id, lease_until=PAST)
    claim(delivery)
    with delivery.database.statement() as tx:
        kept = emails.keep_renderings(
            tx,
            email_ids=[email_id],
            fences=[stale["fence"]],
            sender="stale",
            reply_tos=["stale"],
            subjects=["stale"],
            text_bodies=["stale"],
            html_bodies=["stale"],
            calendars=[None],
            calendar_methods=[None],
        )
    assert (kept, rows[email_id]["subject"]) == ([], None)


def test_mail_whose_lease_was_lost_while_it_was_offered_is_sent_once(
    delivery, make_delivery, rows, httpserver, mailbox
):
    email_id = rows.promise()
    another = make_delivery()

    def dawdle(request):
        rows.move(email_id, lease_until=PAST)
        claimed.extend(claim(another))
        return mailbox(request)

    claimed = []
    httpserver.clear()
    httpserver.expect_oneshot_request("/emails").respond_with_handler(dawdle)
    with capture_logs() as lines:
        assert delivery.drain() is None
    assert "email_lease_lost" in [line["event"] for line in lines]
    assert rows[email_id]["status"] == "pending"

    httpserver.expect_request("/emails").respond_with_handler(mailbox)
    offer(another, claimed[0])
    assert rows[email_id]["status"] == "sent"
    assert len(mailbox.offers) == 2
    assert len(mailbox.mails) == 1


def test_outcome_outlives_the_connection_that_was_idle_meanwhile(delivery, rows, httpserver, mailbox):
    email_id = rows.promise()

    def hang_up(request):
        rows.execute(f"SELECT pg_terminate_backend(pid) FROM {SESSIONS}")
        return mailbox(request)

    httpserver.clear()
    httpserver.expect_request("/emails").respond_with_handler(hang_up)
    delivery.drain()
    assert rows[email_id]["status"] == "sent"


def test_no_connection_is_held_while_the_provider_answers(delivery, rows, httpserver, mailbox):
    rows.promise()
    states = []

    def look(request):
        states.extend(rows.ask_all(f"SELECT state FROM {SESSIONS}"))
        states.append(len(delivery.database.pool._idle))
        return mailbox(request)

    httpserver.clear()
    httpserver.expect_request("/emails").respond_with_handler(look)
    delivery.drain()
    *sessions, resting = states
    assert {session["state"] for session in sessions} == {"idle"}
    assert resting == 1


# Order


def test_mails_about_one_booking_leave_in_order(delivery, rows, mailbox):
    booking_id = rows.booking()
    confirmation = rows.promise("BOOKING_CONFIRMATION", booking_id=booking_id)
    cancellation = rows.promise("BOOKING_CANCELLED", booking_id=booking_id)
    restoration = rows.promise("BOOKING_CONFIRMATION", booking_id=booking_id)
    # Even if they have been due for longer.
    for early in (restoration, cancellation):
        rows.move(early, next_attempt_at="now() - interval '1 minute'")
    assert [row["id"] for row in claim(delivery, limit=10)] == [confirmation]
    rows.move(confirmation, lease_until=PAST)
    delivery.drain()
    assert [offer.mail["subject"] for offer in mailbox.offers] == [
        "Booking confirmed: Standup",
        "Booking cancelled: Standup",
        "Booking confirmed: Standup",
    ]
    assert rows.statuses() == ["sent"] * 3


def test_whoever_looks_for_what_is_due_keeps_the_order(delivery, rows, mailbox):
    booking_id = rows.booking()
    confirmation = rows.promise("BOOKING_CONFIRMATION", booking_id=booking_id)
    rows.promise("BOOKING_CANCELLED", booking_id=booking_id)
    rows.move(confirmation, next_attempt_at="now() + interval '1 minute'")
    delivery.drain()
    assert mailbox.offers == []
    rows.make_due()
    delivery.drain()
    assert mailbox.subjects == ["Booking confirmed: Standup", "Booking cancelled: Standup"]


def test_confirmation_in_hand_holds_the_cancellation_back(delivery, rows):
    booking_id = rows.booking()
    rows.promise("BOOKING_CONFIRMATION", booking_id=booking_id)
    cancellation = rows.promise("BOOKING_CANCELLED", booking_id=booking_id)
    (row,) = claim(delivery)
    assert claim(delivery) == []
    settle_sent(delivery, row)
    assert [row["id"] for row in claim(delivery)] == [cancellation]


def test_confirmation_that_must_wait_holds_the_cancellation_back(delivery, rows, mailbox):
    booking_id = rows.booking()
    rows.promise("BOOKING_CONFIRMATION", booking_id=booking_id)
    cancellation = rows.promise("BOOKING_CANCELLED", booking_id=booking_id)
    mailbox.refuse(503)
    assert delivery.drain() > 0
    assert len(mailbox.offers) == 1
    assert rows[cancellation]["attempts"] == 0

    rows.make_due()
    assert delivery.drain() is None
    assert mailbox.subjects == ["Booking confirmed: Standup", "Booking cancelled: Standup"]


def test_dead_confirmation_lets_the_cancellation_go(delivery, rows, mailbox):
    booking_id = rows.booking()
    rows.promise("BOOKING_CONFIRMATION", booking_id=booking_id)
    rows.promise("BOOKING_CANCELLED", booking_id=booking_id)
    mailbox.refuse(422)
    delivery.drain()
    assert rows.statuses() == ["dead", "sent"]
    assert mailbox.subjects == ["Booking cancelled: Standup"]


def test_bookings_do_not_wait_for_one_another(delivery, rows, mailbox):
    held = rows.promise("BOOKING_CONFIRMATION", booking_id=rows.booking())
    rows.move(held, next_attempt_at="now() + interval '1 minute'")
    rows.promise("BOOKING_CONFIRMATION", booking_id=rows.booking())
    rows.promise()
    delivery.drain()
    assert rows.statuses() == ["pending", "sent", "sent"]


def test_whoever_drains_comes_back_for_a_follower_too(delivery, rows, mailbox, httpserver):
    booking_id = rows.booking()
    rows.promise("BOOKING_CONFIRMATION", booking_id=booking_id)
    rows.promise("BOOKING_CANCELLED", booking_id=booking_id)
    httpserver.clear()
    httpserver.expect_oneshot_request("/emails").respond_with_handler(mailbox)
    httpserver.expect_request("/emails").respond_with_data(status=503)
    assert delivery.drain() > 0
    assert rows.statuses() == ["sent", "pending"]


# The rate limit


def test_no_more_mails_are_offered_than_there_are_slots(make_delivery, rows, mailbox):
    delivery = make_delivery(rate_limit=3)
    email_ids = [rows.promise() for _ in range(5)]
    assert 55 < delivery.drain() <= 60
    assert len(mailbox.offers) == 3
    for late in email_ids[3:]:
        row = rows[late]
        assert (row["status"], row["attempts"], row["rejections"], row["lease_until"]) == ("pending", 0, 0, None)


def test_mail_that_waited_for_the_limit_goes_before_a_newer_one(make_delivery, rows, mailbox):
    delivery = make_delivery(rate_limit=1)
    for name in ("Alice", "Bob", "Carol"):
        rows.promise(data={"name": name})
    for newer in ("Dave", "Eve", "Frank"):
        delivery.drain()
        rows.promise(data={"name": newer})
        rows.execute("UPDATE email_rate_slots SET free_at = now()")
    assert mailbox.subjects == ["Welcome, Alice", "Welcome, Bob", "Welcome, Carol"]


def test_limit_of_many_mails_a_second_is_waited_for_in_place(make_delivery, rows, mailbox):
    delivery = make_delivery(rate_limit=6060)
    assert (delivery.store.settings.rate_slots, delivery.store.settings.rate_window) == (101, 1)
    rows.execute("INSERT INTO email_rate_slots SELECT generate_series(1, 101), now() + interval '0.3 seconds'")
    rows.promise()
    assert delivery.drain() is None
    assert rows.statuses() == ["sent"]


def test_slots_are_free_again_a_minute_after_the_answer(make_delivery, rows, mailbox):
    delivery = make_delivery(rate_limit=3)
    for _ in range(5):
        rows.promise()
    delivery.drain()
    gaps = rows.ask_all(
        "SELECT extract(epoch FROM free_at - settled_at)::float8 AS seconds"
        " FROM emails JOIN email_rate_slots ON slot = rate_slot WHERE status = 'sent'"
    )
    assert [round(gap["seconds"], 1) for gap in gaps] == [60.0] * 3
    assert rows.free_slots() == 0

    rows.execute("UPDATE email_rate_slots SET free_at = free_at - interval '61 seconds'")
    delivery.drain()
    assert rows.statuses() == ["sent"] * 5


def test_slot_counts_as_used_while_the_provider_has_not_answered(delivery, rows):
    rows.promise()
    claim(delivery, rate_limit=1)
    left = rows.ask("SELECT extract(epoch FROM free_at - now())::float8 AS seconds FROM email_rate_slots")["seconds"]
    assert LEASE_SECONDS + 55 < left <= LEASE_SECONDS + 60


def test_refused_mail_has_used_its_slot(make_delivery, rows, mailbox):
    delivery = make_delivery(rate_limit=1)
    mailbox.refuse(422)
    rows.promise()
    rows.promise()
    delivery.drain()
    assert len(mailbox.offers) == 1


def test_workers_share_the_limit(make_delivery, rows):
    rivals = [make_delivery() for _ in range(8)]
    for _ in range(40):
        rows.promise()
    claims = at_once(lambda rival: [row for _ in range(5) for row in claim(rival, rate_limit=7)], *rivals)
    assert sum(len(claimed) for claimed in claims) == 7
    assert rows.ask("SELECT sum(attempts) FROM emails")["sum"] == 7


def test_limit_that_was_lowered_holds_at_once(make_delivery, rows, mailbox):
    rows.promise()
    make_delivery(rate_limit=10).drain()
    rows.execute("UPDATE email_rate_slots SET free_at = '-infinity'")
    lowered = make_delivery(rate_limit=2)
    for _ in range(4):
        rows.promise()
        lowered.drain()
    assert len(mailbox.offers) == 1 + 2


def test_limit_that_was_raised_holds_at_once(make_delivery, rows, mailbox):
    for delivery in (make_delivery(rate_limit=1), make_delivery(rate_limit=3)):
        for _ in range(4):
            rows.promise()
            delivery.drain()
    assert len(mailbox.offers) == 3


# Failures


def test_second_attempt_offers_the_same_bytes_under_the_same_key(make_delivery, rows, mailbox):
    email_id = rows.promise()
    mailbox.refuse(503)
    make_delivery().drain()
    assert rows[email_id]["subject"] == "Welcome, Alice"

    # Neither what the row was made of nor the settings of another deployment may change it any more.
    rows.move(email_id, data='\'{"name": "Mallory"}\'', next_attempt_at=PAST)
    make_delivery(sender="another@example.com").drain()
    first, second = mailbox.offers
    assert first == second
    assert rows[email_id]["status"] == "sent"


def test_mail_that_is_refused_for_good_is_dead_at_once(delivery, rows, mailbox):
    email_id = rows.promise()
    mailbox.refuse(422)
    with capture_logs() as lines:
        assert delivery.drain() is None
    row = rows[email_id]
    assert (row["status"], row["last_failure"]) == ("dead", "permanent")
    assert row["last_error"].startswith("The provider answered 422.")
    assert row["settled_at"] is not None
    assert row["lease_until"] is None
    assert [line["log_level"] for line in lines if line["event"] == "email_dead"] == ["error"]
    rows.make_due()
    assert delivery.drain() is None
    assert len(mailbox.offers) == 1


def test_mail_that_fails_for_now_is_due_again_later(delivery, rows, mailbox):
    email_id = rows.promise()
    mailbox.refuse(503, times=4)
    waits = []
    for attempt in range(1, 5):
        rows.make_due()
        waits.append(delivery.drain())
        row = rows[email_id]
        assert (row["status"], row["attempts"], row["rejections"]) == ("pending", attempt, 0)
        assert (row["last_failure"], row["last_error"]) == ("transient", "The provider answered 503.")
        assert (row["lease_until"], row["settled_at"]) == (None, None)
        assert 0 < waits[-1] - row["wait"] < 0.5
        assert claim(delivery) == []
    assert waits == sorted(waits)

    rows.make_due()
    assert delivery.drain() is None
    row = rows[email_id]
    assert (row["status"], row["attempts"], row["last_failure"], row["last_error"]) == ("sent", 5, None, None)


def test_provider_that_is_away_costs_no_mail(make_delivery, rows, httpserver):
    delivery = make_delivery()
    delivery.pool.provider = Resend(KEY, "http://127.0.0.1:9")
    email_id = rows.promise()
    for _ in range(5):
        rows.make_due()
        assert delivery.drain() > 0
    row = rows[email_id]
    assert (row["status"], row["rejections"], row["last_error"]) == (
        "pending",
        0,
        "The provider could not be reached.",
    )


@pytest.mark.parametrize("attempts", [1, 3])
def test_mail_is_rejected_as_often_as_the_settings_say(make_delivery, rows, mailbox, attempts):
    delivery = make_delivery(retry_attempts=attempts)
    email_id = rows.promise()
    mailbox.refuse(418, times=attempts)
    for rejections in range(1, attempts):
        assert delivery.drain() > 0
        assert (rows[email_id]["status"], rows[email_id]["rejections"]) == ("pending", rejections)
        rows.make_due()
    assert delivery.drain() is None
    row = rows[email_id]
    assert (row["status"], row["rejections"], row["last_failure"]) == ("dead", attempts, "rejected")
    assert len(mailbox.offers) == attempts


def test_outage_between_rejections_does_not_count(make_delivery, rows, mailbox):
    delivery = make_delivery(retry_attempts=2)
    email_id = rows.promise()
    for status in (418, 503, 503, 503):
        mailbox.refuse(status)
    for _ in range(4):
        assert delivery.drain() > 0
        rows.make_due()
    assert delivery.drain() is None
    assert rows[email_id]["status"] == "sent"


def test_provider_that_asks_for_patience_gets_it(delivery, rows, mailbox):
    email_id = rows.promise()
    mailbox.refuse(429, Retry_After="120")
    assert 120 <= delivery.drain() <= 132
    row = rows[email_id]
    assert (row["status"], row["last_failure"], row["rejections"]) == ("pending", "throttled", 0)
    assert 119 < row["wait"] <= 132


def test_refused_key_raises_an_alarm_and_loses_no_mail(delivery, rows, mailbox):
    email_id = rows.promise()
    delivery.pool.provider = Resend("another key", delivery.pool.provider.api.url.removesuffix("/emails"))
    with capture_logs() as lines:
        assert delivery.drain() > 0
    assert [(line["event"], line["log_level"]) for line in lines] == [("email_deferred", "error")]
    assert (rows[email_id]["status"], rows[email_id]["last_failure"]) == ("pending", "configuration")


@pytest.mark.parametrize("data", [{}, {"name": None, "title": 7}])
def test_mail_that_cannot_be_rendered_is_dead_and_holds_up_nobody(delivery, rows, mailbox, data):
    booking_id = rows.booking()
    poison = rows.promise("BOOKING_CONFIRMATION", data={"unknown": True, **data}, booking_id=booking_id)
    rows.promise("BOOKING_CANCELLED", booking_id=booking_id)
    assert delivery.drain() is None
    assert (rows[poison]["status"], rows[poison]["last_failure"]) == ("dead", "permanent")
    assert rows[poison]["last_error"]
    assert mailbox.subjects == ["Booking cancelled: Standup"]


# The job


@pytest.fixture
def job(rows, database_url, redis_url, httpserver, monkeypatch):
    """Offer the job as the worker runs it, with the settings of an environment."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("EMAIL_PROVIDER", "resend")
    monkeypatch.setenv("EMAIL_API_KEY", KEY)
    monkeypatch.setenv("EMAIL_API_BASE_URL", httpserver.url_for(""))
    monkeypatch.setenv("EMAIL_RETRY_ATTEMPTS", "5")
    deliver.delivery.cache_clear()
    yield deliver.deliver_email
    deliver.delivery().database.close()
    deliver.delivery.cache_clear()


def test_job_of_a_sent_mail_is_over(job, rows, mailbox):
    assert job(rows.promise()) is None
    assert mailbox.subjects == ["Welcome, Alice"]


def test_job_comes_back_when_its_mail_is_due_soon(job, rows, mailbox):
    email_id = rows.promise()
    mailbox.refuse(429, Retry_After="20")
    retry = job(email_id)
    # Rounded up: a retry that comes a moment early would find that the mail is not due.
    assert retry.intervals[0] == pytest.approx(22, abs=2)
    assert retry.intervals[0] >= rows[email_id]["wait"]


def test_job_leaves_what_is_due_late_to_the_sweep(job, rows, mailbox):
    mailbox.refuse(429, Retry_After="31")
    assert job(rows.promise()) is None


def test_job_comes_back_soon_while_postgresql_is_away(job, rows, mailbox, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:9/nothing")
    assert job(rows.promise()).intervals == [deliver.AWAY_SECONDS]
    with pytest.raises(psycopg2.OperationalError):
        deliver.delivery().drain()
