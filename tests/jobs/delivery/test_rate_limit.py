"""No more mails are offered in a minute than the limit says, by all workers together."""

from jobs.delivery.email_store import LEASE_SECONDS
from tests.jobs.delivery.claims import at_once, claim


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
    rows.execute("INSERT INTO email_rate_slots SELECT generate_series(1, 101), now() + interval '0.9 seconds'")
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
