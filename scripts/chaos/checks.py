"""Judge the evidence of a run: each check yields one plain sentence for each promise that was broken."""

from collections.abc import Callable, Iterator

from scripts.chaos import check_answers, check_appointments, check_claims, check_mails, check_sequences, check_writes
from scripts.chaos.evidence import Evidence

Check = Callable[[Evidence], Iterator[str]]

CHECKS: tuple[Check, ...] = (
    check_writes.acknowledged_writes_are_there,
    check_writes.refused_writes_left_nothing,
    check_writes.keys_have_one_effect,
    check_writes.bookings_end_as_told,
    check_writes.refused_changes_have_a_reason,
    check_writes.exclusive_bookings_do_not_overlap,
    check_writes.notifications_equal_events,
    check_appointments.acknowledged_bookings_of_guests_are_there,
    check_appointments.guests_are_booked_once,
    check_appointments.bookings_of_guests_are_whole,
    check_appointments.bookings_of_guests_end_as_told,
    check_appointments.refused_guests_have_a_reason,
    check_appointments.holds_end_as_told,
    check_claims.claims_do_not_overlap,
    check_claims.claims_equal_what_takes_time,
    check_mails.outbox_is_drained,
    check_mails.intents_equal_events,
    check_mails.accepted_mails_equal_events,
    check_mails.rows_equal_acceptances,
    check_mails.dead_mails_are_the_refused_ones,
    check_mails.bytes_never_change,
    check_mails.confirmation_precedes_cancellation,
    check_mails.repetitions_have_a_cause,
    check_mails.only_the_holder_settles,
    check_sequences.mails_are_put_off_by_the_rule,
    check_sequences.mails_are_superseded_by_the_rule,
    check_sequences.sequences_rise,
    check_sequences.last_change_is_told,
    check_answers.answers_are_honest,
    check_answers.refusals_are_prompt,
    check_answers.writes_return_with_postgres,
    check_answers.no_connection_leaks,
)


def violations(evidence: Evidence) -> list[str]:
    """Return every promise that was broken, in plain sentences."""
    return [sentence for check in CHECKS for sentence in check(evidence)]
