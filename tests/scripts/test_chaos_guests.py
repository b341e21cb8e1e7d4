"""The judge of the chaos harness sees each kind of harm to bookings by guests, and none where there is none."""

import base64
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from scripts.chaos.checks import violations
from scripts.chaos.events import OF_GUESTS
from scripts.chaos.evidence import ClaimRow
from scripts.chaos.history import Outcome
from scripts.chaos.provider import Provider
from tests.scripts.guest_story import (
    CANCELLED,
    CONFIRMED,
    GAIL,
    HALF,
    HOSTS,
    MOVED,
    NOON,
    WRITTEN,
    guest_story,
    operation,
    rows,
    tell,
)


@pytest.fixture
def evidence():
    return guest_story()


def mail(evidence, number, change, recipient=GAIL):
    return next(
        index
        for index, row in enumerate(evidence.emails)
        if (row.booking_id, row.kind, row.recipient) == (number, OF_GUESTS[change], recipient)
    )


def alter(evidence, number, change, **values):
    index = mail(evidence, number, change)
    evidence.emails[index] = replace(evidence.emails[index], **values)


def offer(evidence, number, change, recipient=GAIL):
    key = evidence.emails[mail(evidence, number, change, recipient)].key
    return next(offer for offer in evidence.offers if offer.key == key)


def test_a_run_without_harm_is_accepted(evidence):
    assert violations(evidence) == []


def drop_claim(evidence):
    del evidence.claims[0]


def claim_for_nothing(evidence):
    evidence.claims.append(ClaimRow(HOSTS[1], NOON + 3 * HALF, NOON + 4 * HALF, 10, None))


def claim_twice(evidence):
    evidence.claims[2] = replace(evidence.claims[2], claim_start=NOON, claim_end=NOON + HALF)


def let_hold_run_out(evidence):
    evidence.holds[0] = replace(evidence.holds[0], has_run_out=True)


def lose_hold(evidence):
    del evidence.holds[0], evidence.claims[2]


def keep_used_hold(evidence):
    evidence.holds.append(replace(evidence.holds[0], id=6, uid="hold used"))


def make_hold(evidence):
    evidence.holds.append(replace(evidence.holds[0], id=6, uid="of nobody"))


def lose_booking(evidence):
    del evidence.appointments[4:]


def lose_host(evidence):
    del evidence.appointments[5]


def answer_otherwise(evidence):
    evidence.operations[1].uid = "uid 20"


def book_twice(evidence):
    evidence.appointments += rows(40, "Third")


def book_for_nobody(evidence):
    evidence.appointments += rows(40, "Ghost")


def book_though_refused(evidence):
    evidence.appointments += rows(40, "Fourth")


def move_back(evidence):
    for row in evidence.appointments[:2]:
        evidence.appointments[row.id - 10] = replace(row, start_time=NOON)


def change_again(evidence):
    evidence.appointments[4:] = [replace(row, version=2, sequence=1) for row in evidence.appointments[4:]]


def confirm_cancelled(evidence):
    evidence.appointments[:2] = [replace(row, status="confirmed") for row in evidence.appointments[:2]]


def refuse_held(evidence):
    evidence.operations[-1].hold = "hold kept"


def refuse_cancellation(evidence):
    evidence.operations[3].outcome = Outcome.FAIL


def lose_intent(evidence):
    del evidence.emails[mail(evidence, 10, MOVED)]


def lose_mail(evidence):
    evidence.offers.remove(offer(evidence, 10, CONFIRMED))


def send_under_two_keys(evidence):
    evidence.offers.append(replace(offer(evidence, 10, CANCELLED), key="other", accepted_at=99.0))


def send_superseded(evidence):
    key = evidence.emails[mail(evidence, 20, CONFIRMED)].key
    evidence.offers.append(replace(offer(evidence, 10, CONFIRMED), key=key, meeting="uid 20@scheduling"))


def supersede_for_nothing(evidence):
    alter(evidence, 30, CONFIRMED, status="superseded", attempts=0)


def supersede_half(evidence):
    alter(evidence, 20, CANCELLED, status="sent")


def send_what_is_overtaken(evidence):
    alter(evidence, 20, CONFIRMED, status="sent")


def put_off_for_nothing(evidence):
    alter(evidence, 10, CONFIRMED, put_off_until=WRITTEN + timedelta(seconds=70))


def put_off_too_briefly(evidence):
    alter(evidence, 30, CONFIRMED, put_off_until=WRITTEN + timedelta(seconds=60))


def overtake(evidence):
    offer(evidence, 10, MOVED).accepted_at = 99.0


def number_wrongly(evidence):
    offer(evidence, 10, MOVED).sequence = 2


def tell_no_end(evidence):
    evidence.offers.remove(offer(evidence, 11, CANCELLED, HOSTS[1]))


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (drop_claim, "Booking 30 does not take the time of hanna"),
        (claim_for_nothing, "Booking 10 takes time of henry"),
        (claim_twice, "Booking 30 and Hold 5 take the same time of hanna"),
        (let_hold_run_out, "Hold 5 has run out and still takes time"),
        (lose_hold, "The guest hold of Hold 2 was acknowledged and is not there"),
        (keep_used_hold, "The guest hold of Hold 1 is there although it was booked"),
        (make_hold, "1 holds are there that nobody was told of"),
        (lose_booking, "The guest book of Third was acknowledged as uid 30, which nobody has"),
        (lose_host, "Booking uid 30 has 2 hosts; 1 have it"),
        (answer_otherwise, "The guest repeat of First was acknowledged as uid 20, which Second has"),
        (book_twice, "The guest book of Third made 2 bookings"),
        (book_for_nobody, "A booking of Ghost is there and nobody asked for it"),
        (book_though_refused, "The guest book of Fourth was refused (slot_taken) and is there all the same"),
        (move_back, "Booking uid 10 of First ended as"),
        (change_again, "Booking uid 30 of Third was changed 1 times; acknowledged were 0"),
        (confirm_cancelled, "Booking uid 10 of First ended as"),
        (refuse_held, "The guest book of Fourth was refused (slot_taken) and nothing explains it"),
        (refuse_cancellation, "The guest cancel of First was refused"),
        (lose_intent, "The outbox has 0 mails APPOINTMENT_MOVED for gail@example.com (booking 10"),
        (lose_mail, "Lost: “Booking confirmed: Meeting” for gail@example.com was accepted 1 times of 2"),
        (send_under_two_keys, "gail@example.com was sent the changes of uid 10@scheduling in the order [0, 1, 2, 2]"),
        (send_under_two_keys, "Sent without reason: “Booking cancelled: Meeting” for gail@example.com"),
        (send_superseded, "Mail 12 for gail@example.com is superseded and was offered"),
        (supersede_for_nothing, "Mail 18 (APPOINTMENT_CONFIRMED for gail@example.com) is superseded, and nothing"),
        (supersede_half, "Mail 15 for gail@example.com is sent, its confirmation otherwise"),
        (send_what_is_overtaken, "Mail 12 (APPOINTMENT_CONFIRMED for gail@example.com) is sent, and has to be"),
        (
            put_off_for_nothing,
            "Mail 3 (APPOINTMENT_CONFIRMED for gail@example.com) is put off until 2029-12-01 00:01:10",
        ),
        (put_off_too_briefly, "Mail 18 (APPOINTMENT_CONFIRMED for gail@example.com) is put off"),
        (overtake, "gail@example.com was sent the changes of uid 10@scheduling in the order [0, 2, 1]"),
        (number_wrongly, "Mail 6 for gail@example.com tells calendars 2, and is change 1"),
        (tell_no_end, "henry@example.com was told of change 1 of booking 11, and not of 2"),
    ],
)
def test_harm_is_seen(evidence, harm, words):
    harm(evidence)
    found = violations(evidence)
    assert any(words in sentence for sentence in found), found


def test_what_a_guest_never_learned_may_have_happened_or_not(evidence):
    later = NOON + timedelta(hours=2)
    evidence.operations += [
        operation("guest move", "Third", Outcome.UNKNOWN, 503, uid="uid 30", start=later),
        operation("guest book", "Perhaps", Outcome.UNKNOWN, 503, start=NOON),
        operation("guest hold", "Hold 3", Outcome.UNKNOWN, 503, start=later),
    ]
    assert violations(evidence) == []
    evidence.appointments[4:] = rows(30, "Third", sequence=1, start=later)
    evidence.claims[:2] = [ClaimRow(host, later, later + HALF, 30 + n, None) for n, host in enumerate(HOSTS)]
    tell(evidence, 30, MOVED, 1, 30, put_off_until=70)
    assert violations(evidence) == []


def test_move_that_waits_with_its_confirmation_is_superseded_by_the_next(evidence):
    evidence.operations += [
        operation("guest move", "Third", uid="uid 30", start=NOON + HALF),
        operation("guest move", "Third", uid="uid 30", start=NOON),
    ]
    evidence.appointments[4:] = rows(30, "Third", sequence=2)
    tell(evidence, 30, MOVED, 1, 30, "superseded", 70)
    tell(evidence, 30, MOVED, 2, 35, put_off_until=70)
    assert violations(evidence) == []


def test_provider_reads_which_change_of_which_meeting_a_mail_is():
    calendar = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:a-long-\r\n name@scheduling\r\nSEQUENCE:3\r\nEND:VEVENT\r\n"
    attachment = {"content": base64.b64encode(calendar.encode()).decode()}
    body = {"to": [GAIL], "subject": "Booking moved", "attachments": [attachment]}
    offer = Provider().receive("worker_1", "key", json.dumps(body).encode())
    assert (offer.meeting, offer.sequence) == ("a-long-name@scheduling", 3)
