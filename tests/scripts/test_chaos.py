"""The judge of the chaos harness sees each kind of harm in a history made by hand, and none where there is none."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from scripts.chaos.check_answers import return_seconds
from scripts.chaos.check_mails import LEASE_SECONDS, repetitions
from scripts.chaos.checks import violations
from scripts.chaos.evidence import AuditRow, BookingRow, ClaimRow, EmailRow, Evidence, NotificationRow, OrganizationRow
from scripts.chaos.faults import TARGETS, WORKERS, plan
from scripts.chaos.history import Attempt, Incident, Operation, Outcome
from scripts.chaos.provider import DROP, REFUSED, Offer, Provider

ALICE, BOB = "alice@example.com", f"{REFUSED}bob@example.com"
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def operation(kind, marker, recipient=ALICE, outcome=Outcome.OK, *statuses, **fields):
    attempts = [Attempt(float(n), 0.1, status, retry_after=True) for n, status in enumerate(statuses or (200,))]
    return Operation(kind, ALICE, marker, recipient, f"key of {marker}", outcome=outcome, attempts=attempts, **fields)


def offer(key, recipient, subject, at, **fields):
    accepted_at = None if recipient == BOB else at
    return Offer("worker_1", key, b"content", at, at, recipient, subject, accepted_at=accepted_at, **fields)


def booking(number=1, title="Talk", status="cancelled", version=2, **fields):
    row = BookingRow(number, ALICE, title, status, version, True, NOON, NOON + HOUR)
    return replace(row, **fields)


@pytest.fixture
def evidence():
    """Alice registers, books and cancels; Bob, whose mails are refused, registers and is invited."""
    return Evidence(
        operations=[
            operation("register", ALICE),
            operation("register", BOB, BOB),
            operation("create", "Talk", ALICE, Outcome.OK, 503, None, 201, row_id=1),
            operation("cancel", "Talk"),
            operation("create", "Rival", ALICE, Outcome.FAIL, 409),
            operation("found", "Club", ""),
            operation("invite", "Club", BOB),
        ],
        incidents=[Incident("web", "SIGKILL of a gunicorn worker", 1.0, 1.0)],
        users=[ALICE, BOB],
        bookings=[booking()],
        notifications=[
            NotificationRow(ALICE, "BOOKING_CONFIRMED", 1, None),
            NotificationRow(ALICE, "BOOKING_CANCELLED", 1, None),
            NotificationRow(BOB, "ORG_INVITE", None, 7),
        ],
        emails=[
            EmailRow(1, "WELCOME", ALICE, "sent", "k1", None, None, None),
            EmailRow(2, "WELCOME", BOB, "dead", "k2", None, None, "422"),
            EmailRow(3, "BOOKING_CONFIRMATION", ALICE, "sent", "k3", 1, None, None),
            EmailRow(4, "BOOKING_CANCELLED", ALICE, "sent", "k4", 1, None, None),
            EmailRow(5, "ORG_INVITE", BOB, "dead", "k5", None, 7, "422"),
        ],
        organizations=[OrganizationRow(7, "Club", ALICE, [BOB])],
        offers=[
            offer("k1", ALICE, "Welcome, alice", 1),
            offer("k2", BOB, "Welcome, bob", 2),
            offer("k3", ALICE, "Booking confirmed: Talk", 3),
            offer("k4", ALICE, "Booking cancelled: Talk", 4),
            offer("k5", BOB, "You have been added to Club", 5),
        ],
        audit=[AuditRow(1, "worker_1", True), AuditRow(1, "worker_1", False)],
    )


def one_violation(evidence, *words):
    found = violations(evidence)
    assert any(all(word in sentence for word in words) for sentence in found), found


def test_a_run_without_harm_is_accepted(evidence):
    assert violations(evidence) == []


def test_an_acknowledged_booking_that_is_missing_is_seen(evidence):
    evidence.bookings.clear()
    one_violation(evidence, "create of Talk", "acknowledged and is not there")


def test_an_acknowledged_member_that_is_missing_is_seen(evidence):
    evidence.organizations[0].members.clear()
    one_violation(evidence, "invite of Club", "acknowledged and is not there")


def test_a_refused_booking_that_is_there_is_seen(evidence):
    evidence.bookings.append(booking(2, "Rival", "confirmed", 1))
    one_violation(evidence, "create of Rival", "refused")


def test_a_booking_made_twice_under_one_key_is_seen(evidence):
    evidence.bookings.append(booking(2, "Talk", "confirmed", 1))
    one_violation(evidence, "create Talk", "happened 2 times")


def test_a_booking_nobody_asked_for_is_seen(evidence):
    evidence.bookings.append(booking(2, "Ghost", "confirmed", 1))
    one_violation(evidence, "create Ghost", "nobody asked")


def test_an_unknown_booking_may_be_there_or_not(evidence):
    evidence.operations.append(operation("create", "Perhaps", ALICE, Outcome.UNKNOWN, 503))
    assert violations(evidence) == []
    evidence.bookings.append(booking(2, "Perhaps", "confirmed", 1, start_time=NOON + HOUR, end_time=NOON + 2 * HOUR))
    evidence.claims.append(ClaimRow(ALICE, NOON + HOUR, NOON + 2 * HOUR, 2, None))
    evidence.notifications.append(NotificationRow(ALICE, "BOOKING_CONFIRMED", 2, None))
    evidence.emails.append(EmailRow(6, "BOOKING_CONFIRMATION", ALICE, "sent", "k6", 2, None, None))
    evidence.offers.append(offer("k6", ALICE, "Booking confirmed: Perhaps", 6))
    assert violations(evidence) == []


def test_a_cancelled_booking_confirmed_again_is_seen(evidence):
    evidence.bookings[0] = booking(status="confirmed", version=3)
    one_violation(evidence, "Booking 1", "changed 2 times")


def test_a_status_without_its_version_is_seen(evidence):
    evidence.bookings[0] = booking(status="confirmed")
    one_violation(evidence, "is confirmed and must be cancelled")


def test_a_refused_cancellation_of_a_confirmed_booking_is_seen(evidence):
    evidence.operations.append(operation("cancel", "Talk", ALICE, Outcome.FAIL, 404, code="not_found"))
    one_violation(evidence, "cancel of Talk", "although")


def test_exclusive_bookings_that_overlap_are_seen(evidence):
    evidence.bookings = [booking(1, version=1, status="confirmed"), booking(2, "Other", version=1, status="confirmed")]
    one_violation(evidence, "1 and 2", "overlap")


def test_a_missing_notification_is_seen(evidence):
    del evidence.notifications[0]
    one_violation(evidence, "has 0 notifications BOOKING_CONFIRMED")


def test_a_lost_mail_is_seen(evidence):
    del evidence.offers[0]
    one_violation(evidence, "Lost", "Welcome, alice")
    one_violation(evidence, "Mail 1 says sent and was never accepted")


def test_a_mail_without_a_row_or_reason_is_seen(evidence):
    evidence.offers.append(offer("k9", ALICE, "Booking confirmed: Rival", 9))
    one_violation(evidence, "Sent without reason", "Rival")
    one_violation(evidence, "key k9", "not in the outbox")


def test_a_mail_sent_under_two_keys_is_seen(evidence):
    evidence.offers.append(offer("k9", ALICE, "Booking confirmed: Talk", 9))
    one_violation(evidence, "Sent without reason", "accepted 2 times; 1 were due")


def test_an_intent_that_was_never_written_is_seen(evidence):
    del evidence.emails[3]
    one_violation(evidence, "The outbox has 0 mails BOOKING_CANCELLED")


def test_a_mail_that_still_waits_is_seen(evidence):
    evidence.emails[0] = replace(evidence.emails[0], status="pending")
    one_violation(evidence, "Mail 1", "still waits")


def test_a_mail_that_died_without_being_refused_is_seen(evidence):
    evidence.emails[0] = replace(evidence.emails[0], status="dead", last_error="gave up")
    one_violation(evidence, "Mail 1", "is dead", "gave up")


def test_a_cancellation_that_overtook_its_confirmation_is_seen(evidence):
    evidence.offers[2].accepted_at = 4.5
    one_violation(evidence, "booking 1", "in the order cancelled, confirmed")


def test_other_bytes_under_the_same_key_are_seen(evidence):
    evidence.offers.append(replace(evidence.offers[0], content="other", accepted_at=None, is_changed=True))
    one_violation(evidence, "key k1", "other bytes")


def test_a_repetition_without_a_cause_is_seen(evidence):
    evidence.offers.append(replace(evidence.offers[0], is_repeated=True))
    one_violation(evidence, "key k1", "no fault explains it")


def test_an_ambiguous_answer_explains_one_repetition(evidence):
    evidence.offers[0].answer = DROP
    evidence.offers.append(replace(evidence.offers[0], answer="accepted", is_repeated=True))
    assert violations(evidence) == []
    evidence.offers.append(replace(evidence.offers[-1]))
    one_violation(evidence, "no fault explains it")


@pytest.mark.parametrize(
    ("target", "kind", "began", "explains"),
    [
        ("worker_1", "SIGKILL", 1.0, True),
        ("worker_1", "SIGKILL", 2.0 + LEASE_SECONDS, False),
        ("worker_1", "SIGTERM", 1.0, False),
        ("worker_2", "SIGKILL", 1.0, False),
    ],
)
def test_only_the_kill_of_the_worker_in_flight_explains_a_repetition(evidence, target, kind, began, explains):
    evidence.incidents.append(Incident(target, kind, began, began))
    evidence.offers.append(replace(evidence.offers[0], arrived=30.0, is_repeated=True))
    assert [cause is not None for _, cause in repetitions(evidence)] == [explains]


def test_a_sleeper_that_settles_is_seen(evidence):
    evidence.audit[1:1] = [AuditRow(1, "worker_2", True)]
    one_violation(evidence, "settled by worker_1 while worker_2 held it")


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (Attempt(50.0, 0.1, 500), "was answered 500"),
        (Attempt(50.0, 0.1, 503), "without Retry-After"),
        (Attempt(50.0, 4.9, 503, retry_after=True), "503 after 4.9 s"),
        (Attempt(50.0, 0.1, None, "connection lost"), "no answer"),
    ],
)
def test_a_dishonest_answer_is_seen(evidence, attempt, words):
    evidence.operations[0].attempts.insert(0, attempt)
    one_violation(evidence, words)


def test_a_hung_server_is_given_more_time(evidence):
    evidence.operations[0].attempts.insert(0, Attempt(50.0, 4.9, 503, retry_after=True))
    evidence.incidents.append(Incident("postgres", "SIGSTOP", 49.0, 55.0))
    assert not any("503 after" in sentence for sentence in violations(evidence))


def test_a_slow_return_is_seen(evidence):
    evidence.incidents.append(Incident("postgres", "fast restart", 40.0, 41.0))
    evidence.operations[0].attempts.append(Attempt(50.0, 0.1, 200))
    assert return_seconds(evidence) == [pytest.approx(9.1)]
    one_violation(evidence, "9.1 s after PostgreSQL was back")


def test_a_leaked_connection_is_seen(evidence):
    evidence.connections, evidence.connection_limits = {"web": 17}, {"web": 16}
    one_violation(evidence, "web holds 17 connections")


def test_the_plan_follows_from_the_seed():
    assert plan(5, 60) == plan(5, 60)
    assert plan(5, 60) != plan(6, 60)


def test_the_plan_breaks_everything_in_every_way():
    planned = {(fault.target, fault.kind) for fault in plan(5, 300)}
    assert planned == {(target.name, kind.name) for target in TARGETS.values() for kind in target.kinds}


def test_faults_of_one_target_never_overlap_and_all_end_within_the_run():
    for name in TARGETS:
        end = 0.0
        for fault in plan(5, 120):
            if fault.target == name:
                assert fault.at >= end
                end = fault.at + fault.seconds
        assert end < 120


def test_both_workers_are_one_kind_of_target():
    assert {Incident(worker, "SIGKILL", 0).name for worker in WORKERS} == {"worker: SIGKILL"}


def test_the_provider_accepts_a_key_once_and_sees_changed_bytes():
    provider = Provider()
    offers = [
        provider.receive("worker_1", "key", b'{"to": ["a"], "subject": "%s"}' % text) for text in (b"x", b"x", b"y")
    ]
    for each in offers:
        provider.accept(each)
    assert [each.is_repeated for each in offers] == [False, True, True]
    assert [each.is_changed for each in offers] == [False, False, True]
    assert len(provider.accepted) == 1
