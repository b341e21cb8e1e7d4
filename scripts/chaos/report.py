"""Tell what a run has shown: a table for people, JSON for machines."""

import time
from collections import Counter, defaultdict
from statistics import median
from typing import Any

from scripts.chaos.check_answers import return_seconds
from scripts.chaos.check_mails import due_mails, first_acceptances, repetitions
from scripts.chaos.evidence import Evidence
from scripts.chaos.faults import WORKERS
from scripts.chaos.history import Outcome, now
from scripts.chaos.provider import AMBIGUOUS
from scripts.chaos.run import Result

SHOWN = 20
KILLS = "SIGKILL"


def summary(result: Result) -> dict[str, Any]:
    """Return everything that was measured."""
    evidence = result.evidence
    counts = Counter((operation.kind, operation.outcome) for operation in evidence.operations)
    faults = Counter(incident.name for incident in evidence.incidents)
    resent = resend_seconds(evidence)
    statuses = Counter(
        str(attempt.status or attempt.error) for operation in evidence.operations for attempt in operation.attempts
    )
    unavailable = [
        attempt.seconds for operation in evidence.operations for attempt in operation.attempts if attempt.status == 503
    ]
    returned = return_seconds(evidence)
    lost = [sentence for sentence in result.violations if sentence.startswith("Lost")]
    return {
        "seed": result.scenario.seed,
        "seconds": result.scenario.seconds,
        "operations": {f"{kind} {outcome}": number for (kind, outcome), number in sorted(counts.items())},
        "answers": dict(sorted(statuses.items())),
        "slowest_503_seconds": round(max(unavailable, default=0.0), 2),
        "faults": dict(sorted(faults.items())),
        "sigkills": sum(number for name, number in faults.items() if KILLS in name),
        "postgres_restarts": faults["postgres: immediate restart"] + faults["postgres: fast restart"],
        "slowest_write_after_postgres_returned": round(max(returned, default=0.0), 2),
        "acknowledged_bookings": counts["create", Outcome.OK],
        "acknowledged_bookings_of_guests": counts["guest book", Outcome.OK],
        "claims": len(evidence.claims),
        "holds": len(evidence.holds),
        "mails": {
            "expected": due_mails(evidence).total(),
            "accepted": len(first_acceptances(evidence)),
            "lost": len(lost),
            "dead": sum(row.status == "dead" for row in evidence.emails),
            "superseded": sum(row.status == "superseded" for row in evidence.emails),
            "duplicates_by_key": sum(offer.is_changed for offer in evidence.offers),
            "raw_duplicates": len(repetitions(evidence)),
            "raw_duplicates_by_cause": dict(Counter(cause or "none" for _, cause in repetitions(evidence))),
            "ambiguous_answers": sum(
                offer.answer in AMBIGUOUS and offer.accepted_at is not None for offer in evidence.offers
            ),
            "offers": len(evidence.offers),
        },
        "seconds_from_kill_to_next_claim": {
            "number": len(resent),
            "median": round(median(resent), 1) if resent else None,
            "worst": round(max(resent), 1) if resent else None,
        },
        "pending_when_mended": result.pending_at_end,
        "seconds_to_drain": round(result.drain_seconds, 1),
        "starts": result.starts,
        "mishaps": result.mishaps,
        "violations": result.violations,
    }


def resend_seconds(evidence: Evidence) -> list[float]:
    """Return how long the mails in hand of each worker that was killed or froze waited for another claim."""
    ids = {row.key: row.id for row in evidence.emails}
    # The incidents count seconds since the machine started, PostgreSQL since the epoch.
    epoch = time.time() - now()
    claims: dict[int, list[float]] = defaultdict(list)
    for row in evidence.audit:
        if row.claims:
            claims[row.email_id].append(row.at - epoch)
    waits: list[float] = []
    for incident in evidence.incidents:
        if incident.target in WORKERS and incident.kind != "SIGTERM":
            for key in incident.in_hand:
                waits += [at - incident.began for at in claims[ids.get(key, 0)] if at > incident.began][:1]
    return waits


def table(result: Result) -> str:
    """Return a summary for people."""
    found = summary(result)
    mails, resend = found["mails"], found["seconds_from_kill_to_next_claim"]
    rows: list[tuple[str, object]] = [
        *found["operations"].items(),
        ("", ""),
        *((f"answers {status}", number) for status, number in found["answers"].items()),
        ("slowest 503 in seconds", found["slowest_503_seconds"]),
        ("first write after PostgreSQL returned, worst", found["slowest_write_after_postgres_returned"]),
        ("", ""),
        *found["faults"].items(),
        ("", ""),
        ("SIGKILLs", found["sigkills"]),
        ("PostgreSQL restarts", found["postgres_restarts"]),
        ("acknowledged bookings", found["acknowledged_bookings"]),
        ("acknowledged bookings of guests", found["acknowledged_bookings_of_guests"]),
        ("claims / holds when all was over", f"{found['claims']} / {found['holds']}"),
        ("mails expected", mails["expected"]),
        ("mails accepted", mails["accepted"]),
        ("mails lost", mails["lost"]),
        ("mails refused for good", mails["dead"]),
        ("mails superseded", mails["superseded"]),
        ("duplicates by key", mails["duplicates_by_key"]),
        ("raw duplicates", mails["raw_duplicates"]),
        *((f"  after {cause}", number) for cause, number in mails["raw_duplicates_by_cause"].items()),
        ("ambiguous answers", mails["ambiguous_answers"]),
        ("mails in hand at a kill or stop", resend["number"]),
        ("  claimed again after seconds (median)", resend["median"]),
        ("  claimed again after seconds (worst)", resend["worst"]),
        ("pending when mended", found["pending_when_mended"]),
        ("seconds to drain", found["seconds_to_drain"]),
    ]
    lines = [f"{name:50} {value}".rstrip() for name, value in rows]
    lines += [f"mishap: {mishap}" for mishap in result.mishaps]
    if result.violations:
        lines += ["", f"{len(result.violations)} violations, of which the first are:"]
        lines += [f"  {sentence}" for sentence in result.violations[:SHOWN]]
    else:
        lines += ["", "No promise was broken."]
    return "\n".join(lines)
