"""One worker has a mail at a time; who has lost its lease settles nothing."""

import pytest
from structlog.testing import capture_logs

from jobs.delivery.email_store import LEASE_SECONDS
from sql.queries import emails
from tests.jobs.delivery.claims import at_once, claim, offer, settle_dead, settle_sent

PAST = "now() - interval '1 second'"
SESSIONS = "pg_stat_activity WHERE application_name = 'delivery' AND datname = current_database()"


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
