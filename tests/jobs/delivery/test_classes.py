"""Account mail goes first, then bookings, then the rest; no class starves, and one sender holds up nobody else."""

from collections import Counter

import pytest

from jobs.classes import CLASSES
from jobs.mails.rendering import KINDS
from jobs.settings import EmailSettings

ACCOUNT, BOOKING, OTHER, BULK = CLASSES
EXPECTED = {
    ACCOUNT: {"WELCOME", "EMAIL_CHANGED", "PASSWORD_CHANGED"},
    BOOKING: {kind for kind in KINDS if kind.startswith(("BOOKING_", "APPOINTMENT_"))},
    OTHER: {"ORG_INVITE"},
}
# As many of one origin wait ahead of others.
AHEAD = 20
FREE = "UPDATE email_rate_slots SET free_at = now()"


def crowd(rows, kind, count, *, origin=None):
    """Let mails wait, each of a sender of its own unless an origin is given."""
    rows.execute(
        "INSERT INTO emails (kind, recipient, data, origin)"
        " SELECT %s, 'alice@example.com', '{}', coalesce(%s, n) FROM generate_series(1, %s) AS n",
        (kind, origin, count),
    )


def claimed(delivery, limit=32):
    """Claim mails and count them by class."""
    ids = [row["id"] for row in delivery.store.claim(limit)]
    found = delivery.store.database
    with found.reading() as tx, tx.execute("SELECT class FROM emails WHERE id = ANY(%(ids)s)", {"ids": ids}) as cursor:
        return Counter(row[0] for row in cursor.fetchall())


def test_every_kind_has_the_class_it_should(rows):
    found = {kind: rows[rows.promise(kind)]["class"] for kind in KINDS}
    assert found == {kind: number for number, kinds in EXPECTED.items() for kind in kinds}


def test_account_mail_goes_before_bookings_and_bookings_before_the_rest(make_delivery, rows, mailbox):
    delivery = make_delivery(rate_limit=4)
    kinds = ["ORG_INVITE", "BOOKING_CONFIRMATION", "PASSWORD_CHANGED"]
    data = {"name": "Alice", "organization_id": 1, "organization_name": "Acme", "role": "member"}
    rows.promise(kinds[0], data=data)
    for kind in kinds[1:]:
        rows.promise(kind)
    delivery.store.find_overdue()
    # No use of these slots is for a lower class first.
    rows.execute("UPDATE email_rate_slots SET turns = 9 - slot")
    delivery.drain()
    sent = rows.ask_all("SELECT kind FROM emails WHERE status = 'sent' ORDER BY settled_at")
    assert [row["kind"] for row in sent] == kinds[::-1]


def test_slots_are_kept_for_account_mail(make_delivery, rows):
    delivery = make_delivery(rate_limit=30)
    crowd(rows, "BOOKING_CONFIRMATION", 40)
    assert claimed(delivery, limit=40) == {BOOKING: 25}
    for _ in range(5):
        rows.promise()
        assert claimed(delivery) == {ACCOUNT: 1}
    rows.promise()
    assert claimed(delivery) == {}
    assert rows.free_slots() == 0


def test_small_limit_keeps_none(make_delivery, rows):
    assert [
        EmailSettings("mock", "", rate_limit=limit, retry_attempts=3).reserved_slots for limit in (1, 5, 6, 30)
    ] == [*(0, 0, 1, 5)]
    crowd(rows, "BOOKING_CONFIRMATION", 5)
    assert claimed(make_delivery(rate_limit=5)) == {BOOKING: 5}


@pytest.mark.parametrize("rate_limit", [1, 30])
def test_no_class_starves(make_delivery, rows, rate_limit):
    delivery = make_delivery(rate_limit=rate_limit)
    for kind in ("WELCOME", "BOOKING_CONFIRMATION", "ORG_INVITE"):
        crowd(rows, kind, 10 * rate_limit + 200)
    crowd(rows, "BOOKING_CANCELLED", 10 * rate_limit + AHEAD, origin=-1)
    found = Counter()
    for _ in range(10):
        found += claimed(delivery, limit=rate_limit)
        rows.execute(FREE)
    assert found.total() == 10 * rate_limit
    open_slots = rate_limit - delivery.store.settings.reserved_slots
    assert found == {ACCOUNT: 10 * rate_limit - 3 * open_slots, **dict.fromkeys((BOOKING, OTHER, BULK), open_slots)}


def test_class_takes_what_the_others_leave(make_delivery, rows):
    crowd(rows, "ORG_INVITE", 40)
    assert claimed(make_delivery(rate_limit=30), limit=40) == {OTHER: 25}


def test_flood_of_one_sender_is_behind_everybody_else(make_delivery, rows):
    crowd(rows, "APPOINTMENT_CONFIRMED", 10_000, origin=-1)
    late = rows.promise("BOOKING_CONFIRMATION", origin=-2)
    assert rows.ask("SELECT count(*) FROM emails WHERE class = 4")["count"] == 10_000 - AHEAD
    ids = [row["id"] for row in make_delivery(rate_limit=100).store.claim(60)]
    assert late in ids


def test_flood_of_one_sender_holds_up_no_mail_of_another_class(rows):
    crowd(rows, "APPOINTMENT_CONFIRMED", 100, origin=-1)
    assert rows[rows.promise("WELCOME", origin=-1)]["class"] == ACCOUNT


def test_sender_whose_mails_have_gone_is_in_line_again(rows):
    crowd(rows, "APPOINTMENT_CONFIRMED", AHEAD, origin=-1)
    assert rows[rows.promise("APPOINTMENT_CONFIRMED", origin=-1)]["class"] == BULK
    rows.execute("UPDATE emails SET status = 'sent' WHERE class = 2")
    assert rows[rows.promise("APPOINTMENT_CONFIRMED", origin=-1)]["class"] == BOOKING


def test_mail_is_never_ahead_of_the_one_it_follows(rows):
    booking_id = rows.booking()
    crowd(rows, "BOOKING_CONFIRMATION", AHEAD, origin=-1)
    first = rows.promise("BOOKING_CONFIRMATION", booking_id=booking_id, origin=-1)
    rows.execute("UPDATE emails SET status = 'sent' WHERE class = 2")
    second = rows.promise("BOOKING_CANCELLED", booking_id=booking_id, origin=-1)
    assert [rows[email_id]["class"] for email_id in (first, second)] == [BULK, BULK]


def test_account_mail_waits_for_no_slot_that_is_kept_for_it(make_delivery, rows, mailbox):
    delivery = make_delivery(rate_limit=6)
    crowd(rows, "BOOKING_CONFIRMATION", 6)
    claimed(delivery)
    assert delivery.store.find_slot() > 55
    assert delivery.store.find_overdue() is None
    welcome = rows.promise()
    rows.move(welcome, next_attempt_at="now() - interval '3 seconds'")
    assert delivery.store.find_slot() is None
    assert delivery.store.find_overdue() == welcome
