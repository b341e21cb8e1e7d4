"""Guest and hosts get the mails about a booking in order, with an invitation, and each attempt the same bytes."""

# ruff: noqa: RUF001 - an en dash spans times

import json
from base64 import b64decode

from sql.queries import appointments
from tests.jobs.mails.appointments import BOOKING, TOKEN, read_event, told_to, words


def book(delivery, rows, *names):
    """Book hosts, each in a zone of their own, for a guest; return the booking's uid."""
    ids = [
        rows.ask(
            "WITH host AS (INSERT INTO users (name, email, password_hash) VALUES (%s, %s, '') RETURNING id)"
            " INSERT INTO schedules (user_id, name, time_zone, is_default, rules)"
            " SELECT id, 'Hours', %s, true, '[]' FROM host RETURNING user_id",
            (name, f"{name.lower()}@example.com", zone),
        )["user_id"]
        for name, zone in zip(names, ("America/New_York", "Europe/Berlin"), strict=False)
    ]
    with delivery.database.transaction() as tx:
        appointments.insert_appointment(
            tx,
            uid=BOOKING["uid"],
            event_type_id=None,
            title=BOOKING["title"],
            start_time=BOOKING["start_time"],
            end_time=BOOKING["end_time"],
            buffer_before_minutes=0,
            buffer_after_minutes=0,
            assignment=json.dumps({"chosen": ids}),
            user_ids=ids,
            manage_token_hash=b"",
            hold_id=None,
            hold_hash=None,
            **BOOKING["guest"],
        )
    tell(delivery, "APPOINTMENT_CONFIRMED", TOKEN)


def move(delivery):
    times = {"start_time": "2027-01-05T09:00:00Z", "end_time": "2027-01-05T09:30:00Z"}
    with delivery.database.transaction() as tx:
        appointments.change_appointment(tx, appointment_id=appointment_id(tx), title=None, **times)
    tell(delivery, "APPOINTMENT_MOVED")


def cancel(delivery):
    with delivery.database.transaction() as tx:
        appointments.cancel_appointment(tx, appointment_id=appointment_id(tx), reason="A cold.")
    tell(delivery, "APPOINTMENT_CANCELLED")


def appointment_id(tx):
    return appointments.select_appointment(tx, uid=BOOKING["uid"], manage_token_hash=b"")["id"]


def tell(delivery, kind, token=None):
    with delivery.database.transaction() as tx:
        appointments.mail_appointment(
            tx,
            uid=BOOKING["uid"],
            kind=kind,
            manage_token=token,
            origin="guest",
            request_id="request-1",
            subjects=[],
        )


def calendar_of(mail):
    """Return the calendar and the event that a mail to Resend brings."""
    (attachment,) = mail["attachments"]
    calendar, event = read_event(b64decode(attachment["content"]).decode())
    assert attachment["filename"] == "invite.ics"
    assert attachment["content_type"] == f"text/calendar; charset=utf-8; method={calendar['METHOD']}"
    return calendar, event


def to(mailbox, address):
    return [mail for mail in mailbox.mails.values() if mail["to"] == [address]]


def test_guest_and_hosts_each_get_confirmation_move_and_cancellation_in_order(delivery, rows, mailbox):
    book(delivery, rows, "Alice", "Bob")
    move(delivery)
    cancel(delivery)
    delivery.drain()
    assert rows.statuses() == ["sent"] * 9
    zones = {"gwen": "14:45–15:15 (Asia/Kathmandu)", "alice": "04:00–04:30 (America/New_York)", "bob": "10:00–10:30 (E"}
    for name, phrase in zones.items():
        mails = to(mailbox, f"{name}@example.com")
        assert [mail["subject"] for mail in mails] == [
            "Booking confirmed: Intro call",
            "Booking moved: Intro call",
            "Booking cancelled: Intro call",
        ]
        assert all(phrase in words(mail["text"]) for mail in mails)
        told = [calendar_of(mail) for mail in mails]
        assert [calendar["METHOD"] for calendar, _ in told] == ["REQUEST", "REQUEST", "CANCEL"]
        assert [event["SEQUENCE"] for _, event in told] == [0, 1, 2]
        assert {event["UID"] for _, event in told} == {f"{BOOKING['uid']}@scheduling"}
        assert {event["ORGANIZER"] for _, event in told} == {"mailto:noreply@example.com"}
        hosts = ["alice@example.com", "bob@example.com"]
        assert all(mail["reply_to"] == (hosts if name == "gwen" else ["gwen@example.com"]) for mail in mails)
        assert [event["DTSTART"].dt.day for _, event in told] == [4, 5, 5]
    with_token = [mail["to"] for mail in mailbox.mails.values() if TOKEN in mail["text"]]
    assert with_token == [["gwen@example.com"]]


def test_a_second_attempt_offers_the_same_bytes_and_they_are_kept(delivery, rows, mailbox):
    mailbox.refuse(503, times=2)
    book(delivery, rows, "Alice")
    delivery.drain()
    kept = rows.ask_all("SELECT calendar, calendar_method FROM emails ORDER BY id")
    assert kept[0]["calendar_method"] == "REQUEST"
    assert "BEGIN:VEVENT" in kept[0]["calendar"]
    # What became of people since then changes nothing of what was promised.
    rows.execute("UPDATE emails SET created_at = created_at + interval '1 hour', data = data || '{\"title\": \"New\"}'")
    for _ in range(3):
        rows.make_due()
        delivery.drain()
    assert rows.statuses() == ["sent"] * 2
    first = [offer for offer in mailbox.offers if offer.key == mailbox.offers[0].key]
    assert len(first) > 1
    assert len({offer.content for offer in first}) == 1
    assert b64decode(first[-1].mail["attachments"][0]["content"]).decode() == kept[0]["calendar"]


def test_other_mails_bring_no_calendar(delivery, rows, mailbox):
    email_id = rows.promise()
    delivery.drain()
    assert (rows[email_id]["calendar"], rows[email_id]["calendar_method"]) == (None, None)
    assert "attachments" not in mailbox.offers[0].mail


def test_data_that_do_not_fit_are_given_up_and_hold_nothing_up(delivery, rows, mailbox):
    broken = rows.promise("APPOINTMENT_MOVED", data=told_to("guest", hosts=[]))
    rows.promise()
    delivery.drain()
    assert rows.statuses() == ["dead", "sent"]
    assert rows[broken]["last_failure"] == "permanent"
