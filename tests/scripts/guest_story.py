"""A history made by hand, of a guest who books two hosts, and what it must leave."""

from datetime import UTC, datetime, timedelta

from scripts.chaos.events import OF_GUESTS
from scripts.chaos.evidence import AppointmentRow, ClaimRow, EmailRow, Evidence, HoldRow, NotificationRow
from scripts.chaos.history import Attempt, Operation, Outcome
from scripts.chaos.provider import Offer

HOSTS, GAIL = ("hanna@example.com", "henry@example.com"), "gail@example.com"
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
HALF = timedelta(minutes=30)
WRITTEN = datetime(2029, 12, 1, tzinfo=UTC)
CONFIRMED, MOVED, CANCELLED = OF_GUESTS


def operation(kind, marker, outcome=Outcome.OK, status=200, **fields):
    attempts = [Attempt(1.0, 0.1, status, retry_after=True)]
    return Operation(kind, GAIL, marker, GAIL, outcome=outcome, attempts=attempts, **fields)


def rows(number, guest, status="confirmed", sequence=0, start=NOON):
    """Return a booking as each host has it; the ids of its rows begin with a number."""
    time = (start, start + HALF)
    shared = (2, guest, GAIL, "Meeting", status, sequence + 1, sequence, *time, *time)
    return [AppointmentRow(number + n, host, f"uid {number}", "link", *shared) for n, host in enumerate(HOSTS)]


def tell(evidence, number, change, sequence, second, status="sent", put_off_until=None):
    """Write what hosts and guest are told of a change, and offer it to the provider."""
    until = None if put_off_until is None else WRITTEN + timedelta(seconds=put_off_until)
    for booking_id, recipient in [(number, HOSTS[0]), (number + 1, HOSTS[1]), (number, GAIL)]:
        mail_id = len(evidence.emails) + 1
        key, created_at = f"k{mail_id}", WRITTEN + timedelta(seconds=second)
        when = (int(status == "sent"), created_at, until, sequence)
        evidence.emails.append(
            EmailRow(mail_id, OF_GUESTS[change], recipient, status, key, booking_id, None, None, *when)
        )
        if recipient != GAIL:
            evidence.notifications.append(NotificationRow(recipient, change, booking_id, None))
        if status == "sent":
            word = change.removeprefix("BOOKING_").lower()
            offer = Offer("worker_1", key, b"content", float(mail_id), None, recipient, f"Booking {word}: Meeting")
            offer.accepted_at = offer.answered = float(mail_id)
            offer.meeting, offer.sequence = f"uid {number}@scheduling", sequence
            evidence.offers.append(offer)


def guest_story():
    """Gail books, moves and cancels, books and cancels again unseen, and books on a hold what she keeps."""
    later = NOON + timedelta(hours=1)
    evidence = Evidence(
        operations=[
            operation("guest book", "First", uid="uid 10", start=NOON),
            operation("guest repeat", "First", uid="uid 10", start=NOON),
            operation("guest move", "First", uid="uid 10", start=later),
            operation("guest cancel", "First", uid="uid 10"),
            operation("guest book", "Second", uid="uid 20", start=NOON),
            operation("guest cancel", "Second", uid="uid 20"),
            operation("guest hold", "Hold 1", uid="hold used", start=NOON),
            operation("guest book", "Third", uid="uid 30", start=NOON, hold="hold used"),
            operation("guest hold", "Hold 2", uid="hold kept", start=later),
            operation("guest book", "Fourth", Outcome.FAIL, 409, code="slot_taken", start=NOON),
        ],
        appointments=[
            *rows(10, "First", "cancelled", 2, later),
            *rows(20, "Second", "cancelled", 1),
            *rows(30, "Third"),
        ],
        holds=[HoldRow(5, "hold kept", [HOSTS[0]], later, later + HALF, has_run_out=False)],
        claims=[ClaimRow(host, NOON, NOON + HALF, 30 + n, None) for n, host in enumerate(HOSTS)]
        + [ClaimRow(HOSTS[0], later, later + HALF, None, 5)],
    )
    tell(evidence, 10, CONFIRMED, 0, 0)
    tell(evidence, 10, MOVED, 1, 5)
    tell(evidence, 10, CANCELLED, 2, 10)
    tell(evidence, 20, CONFIRMED, 0, 15, "superseded", 70)
    tell(evidence, 20, CANCELLED, 1, 20, "superseded")
    tell(evidence, 30, CONFIRMED, 0, 25, put_off_until=70)
    return evidence
