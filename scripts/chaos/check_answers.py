"""Hold the answers of the API against what it promises while things break."""

from collections.abc import Iterator

from scripts.chaos.evidence import Evidence
from scripts.chaos.history import Attempt, Incident

UNAVAILABLE = 503
# The promise is 3 s, or 5 s while PostgreSQL hangs; what is added is for a machine that does other things too.
PROMPT_SECONDS = 3.0
HUNG_SECONDS = 5.0
TOLERANCE_SECONDS = 1.5
RETURN_SECONDS = 2.0


def answers_are_honest(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each answer that is a 5xx other than 503, or a 503 that does not say when to come back."""
    for operation in evidence.operations:
        name = f"The {operation.kind} of {operation.marker}"
        for attempt in operation.attempts:
            if attempt.status is not None and attempt.status >= 500 and attempt.status != UNAVAILABLE:
                yield f"{name} was answered {attempt.status} ({attempt.request_id})."
            if attempt.status == UNAVAILABLE and not attempt.retry_after:
                yield f"{name} was answered 503 without Retry-After."


def refusals_are_prompt(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each 503 that came too late, and each request that nobody answered."""
    hangs = [incident for incident in evidence.incidents if (incident.target, incident.kind) == ("postgres", "SIGSTOP")]
    deaths = [incident for incident in evidence.incidents if incident.target == "web"]
    for operation in evidence.operations:
        for attempt in operation.attempts:
            limit = HUNG_SECONDS if _touches(attempt, hangs, after=1.0) else PROMPT_SECONDS
            if attempt.status == UNAVAILABLE and attempt.seconds > limit + TOLERANCE_SECONDS:
                yield (
                    f"The {operation.kind} of {operation.marker} was answered 503 after {attempt.seconds:.1f} s;"
                    f" promised are {limit:.0f} s ({attempt.request_id})."
                )
            if attempt.status is None and not _touches(attempt, deaths, after=5.0):
                yield (
                    f"The {operation.kind} of {operation.marker} got no answer ({attempt.error} after"
                    f" {attempt.seconds:.1f} s) while the web was left alone."
                )


def writes_return_with_postgres(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each time that PostgreSQL was back and the API was not."""
    for seconds in return_seconds(evidence):
        if seconds > RETURN_SECONDS + TOLERANCE_SECONDS:
            yield f"The first write succeeded {seconds:.1f} s after PostgreSQL was back; promised are 2 s."


def return_seconds(evidence: Evidence) -> list[float]:
    """Return the seconds from each return of PostgreSQL to the next write, unless the next fault came first."""
    writes = sorted(
        attempt.began + attempt.seconds
        for operation in evidence.operations
        for attempt in operation.attempts
        if attempt.status is not None and attempt.status < 300
    )
    others = [incident for incident in evidence.incidents if incident.target in ("web", "postgres")]
    found = []
    for incident in evidence.incidents:
        if incident.target != "postgres" or not incident.ended:
            continue
        waited = next((moment - incident.ended for moment in writes if moment > incident.ended), None)
        if waited is None:
            continue
        is_disturbed = any(
            other is not incident and other.began <= incident.ended + waited and other.ended >= incident.ended - 1
            for other in others
        )
        if not is_disturbed:
            found.append(waited)
    return found


def no_connection_leaks(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each process with more connections than its pool may hold."""
    for role, limit in evidence.connection_limits.items():
        if evidence.connections.get(role, 0) > limit:
            yield f"{role} holds {evidence.connections[role]} connections to PostgreSQL; its pools may hold {limit}."


def _touches(attempt: Attempt, incidents: list[Incident], *, after: float) -> bool:
    return any(
        incident.began - 0.5 <= attempt.began + attempt.seconds and attempt.began <= incident.ended + after
        for incident in incidents
    )
