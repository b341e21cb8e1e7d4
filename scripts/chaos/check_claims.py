"""Hold the time that is taken against what takes it."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

from scripts.chaos.evidence import ClaimRow, Evidence

Claim = tuple[str, datetime, datetime, int | None, int | None]


def claims_do_not_overlap(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each pair of claims on the same time of a person."""
    people: dict[str, list[ClaimRow]] = defaultdict(list)
    for claim in evidence.claims:
        people[claim.email].append(claim)
    for email, claims in people.items():
        claims.sort(key=lambda claim: claim.claim_start)
        for earlier, later in pairwise(claims):
            if later.claim_start < earlier.claim_end:
                yield f"{_reason(earlier)} and {_reason(later)} take the same time of {email}."


def claims_equal_what_takes_time(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each claim without a booking or a hold, and each of those without its claim."""
    due = Counter(_due(evidence))
    found: Counter[Claim] = Counter(
        (claim.email, claim.claim_start, claim.claim_end, claim.booking_id, claim.hold_id) for claim in evidence.claims
    )
    for claim in (found - due).elements():
        yield f"{_reason(ClaimRow(*claim))} takes time of {claim[0]} from {claim[1]} to {claim[2]} without a reason."
    for claim in (due - found).elements():
        yield f"{_reason(ClaimRow(*claim))} does not take the time of {claim[0]} from {claim[1]} to {claim[2]}."
    for hold in evidence.holds:
        if hold.has_run_out:
            yield f"Hold {hold.id} has run out and still takes time of {', '.join(hold.emails)}."


def _due(evidence: Evidence) -> Iterator[Claim]:
    for booking in evidence.bookings:
        if booking.exclusive and booking.status == "confirmed":
            yield booking.email, booking.start_time, booking.end_time, booking.id, None
    for row in evidence.appointments:
        if row.status == "confirmed":
            yield row.email, row.claim_start, row.claim_end, row.id, None
    for hold in evidence.holds:
        for email in hold.emails:
            yield email, hold.claim_start, hold.claim_end, None, hold.id


def _reason(claim: ClaimRow) -> str:
    return f"Hold {claim.hold_id}" if claim.hold_id else f"Booking {claim.booking_id}"
