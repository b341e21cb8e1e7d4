"""Hold what the provider received against what happened."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from scripts.chaos.events import CONFIRMED, changes, events, subject_of
from scripts.chaos.evidence import EmailRow, Evidence
from scripts.chaos.provider import AMBIGUOUS, REFUSED, Offer

# A worker that is killed this long after an offer may not have written down what came of it.
LEASE_SECONDS = 15.0
SLEEP = "SIGSTOP past the lease"


def outbox_is_drained(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each mail that still waits."""
    for row in evidence.emails:
        if row.status == "pending":
            reason = row.last_error or "nobody came for it"
            yield f"Mail {row.id} ({row.kind} for {row.recipient}) still waits: {reason}"


def intents_equal_events(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each event without its row in the outbox, and each row without its event."""
    expected = Counter({event.mail: count for event, count in events(evidence).items()})
    found = Counter(mail_of(row) for row in evidence.emails)
    for key in expected.keys() | found.keys():
        if expected[key] != found[key]:
            kind, recipient, booking_id, organization_id = key
            yield (
                f"The outbox has {found[key]} mails {kind} for {recipient} (booking {booking_id}, organization"
                f" {organization_id}), and there were {expected[key]} events."
            )


def accepted_mails_equal_events(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each mail that the provider never accepted, or accepted under too many keys."""
    expected = due_mails(evidence)
    found = Counter((offer.recipient, offer.subject) for offer in first_acceptances(evidence))
    for recipient, subject in expected.keys() | found.keys():
        wanted, accepted = expected[recipient, subject], found[recipient, subject]
        if accepted < wanted:
            yield f"Lost: “{subject}” for {recipient} was accepted {accepted} times of {wanted}."
        elif accepted > wanted:
            yield f"Sent without reason: “{subject}” for {recipient} was accepted {accepted} times; {wanted} were due."


def due_mails(evidence: Evidence) -> Counter[tuple[str, str]]:
    """Count the mails that must be accepted, by recipient and subject."""
    superseded = Counter(mail_of(row) for row in evidence.emails if row.status == "superseded")
    due: Counter[tuple[str, str]] = Counter()
    for event, count in events(evidence).items():
        if not event.recipient.startswith(REFUSED):
            due[event.recipient, event.subject] += count - superseded[event.mail]
    return +due


def mail_of(row: EmailRow) -> tuple[str, str, int | None, int | None]:
    """Return which event a row is about."""
    return row.kind, row.recipient, row.booking_id, row.organization_id


def rows_equal_acceptances(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each row that says sent though nothing was accepted, or the other way round."""
    accepted = {offer.key for offer in first_acceptances(evidence)}
    keys = {row.key for row in evidence.emails}
    for row in evidence.emails:
        if row.status == "sent" and row.key not in accepted:
            yield f"Mail {row.id} says sent and was never accepted."
        if row.status in ("dead", "superseded") and row.key in accepted:
            yield f"Mail {row.id} says {row.status} and was accepted."
    for key in accepted - keys:
        yield f"The provider accepted a mail under key {key} that is not in the outbox."


def dead_mails_are_the_refused_ones(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each mail that died without being refused for good, or did not although it was."""
    for row in evidence.emails:
        is_refused = row.recipient.startswith(REFUSED)
        if row.status == "dead" and not is_refused:
            yield f"Mail {row.id} for {row.recipient} is dead: {row.last_error}"
        if row.status == "sent" and is_refused:
            yield f"Mail {row.id} for {row.recipient} says sent and was refused."


def bytes_never_change(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each key that was offered with another content than before."""
    contents: dict[str, bytes] = {}
    for offer in evidence.offers:
        if contents.setdefault(offer.key, offer.content) != offer.content:
            yield f"The mail under key {offer.key} for {offer.recipient} was offered with other bytes than before."


def confirmation_precedes_cancellation(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each booking whose mails were accepted in another order than things happened."""
    accepted: dict[tuple[str, str], list[str]] = defaultdict(list)
    for offer in first_acceptances(evidence):
        title = offer.subject.partition(": ")[2]
        if offer.subject.startswith("Booking "):
            accepted[offer.recipient, title].append(offer.subject)
    for booking in evidence.bookings:
        order = [subject_of(change, booking) for change in changes(booking)]
        found = accepted[booking.email, booking.title]
        # What is missing has been reported as lost.
        if found != order[: len(found)]:
            kinds = ", ".join(
                "confirmed" if subject == subject_of(CONFIRMED, booking) else "cancelled" for subject in found
            )
            yield f"The mails about booking {booking.id} ({booking.title}) were accepted in the order {kinds}."


def repetitions_have_a_cause(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each repetition that neither an ambiguous answer nor a kill or stop in flight explains."""
    for offer, cause in repetitions(evidence):
        if cause is None:
            yield (
                f"The mail under key {offer.key} for {offer.recipient} was offered again by {offer.worker} after it"
                " was accepted, and no fault explains it."
            )


def only_the_holder_settles(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each mail that was settled by a worker whose claim had passed to another one."""
    holders: dict[int, str] = {}
    for row in evidence.audit:
        if row.claims:
            holders[row.email_id] = row.who
        elif holders.get(row.email_id) != row.who:
            yield f"Mail {row.email_id} was settled by {row.who} while {holders.get(row.email_id)} held it."


def first_acceptances(evidence: Evidence) -> list[Offer]:
    """Return the offers that were accepted as new, in the order of their acceptance."""
    accepted = [offer for offer in evidence.offers if offer.accepted_at is not None and not offer.is_repeated]
    return sorted(accepted, key=lambda offer: offer.accepted_at or 0.0)


def repetitions(evidence: Evidence) -> list[tuple[Offer, str | None]]:
    """Return each offer of a mail that had been accepted before, with what caused it."""
    earlier: dict[str, list[Offer]] = defaultdict(list)
    found: list[tuple[Offer, str | None]] = []
    for offer in evidence.offers:
        if offer.is_repeated:
            found.append((offer, _cause(offer, earlier[offer.key], evidence)))
        earlier[offer.key].append(offer)
    return found


def _cause(offer: Offer, earlier: list[Offer], evidence: Evidence) -> str | None:
    """Each fault explains one repetition: so the last acceptance must have a fault of its own."""
    last = next((offer for offer in reversed(earlier) if offer.accepted_at is not None), None)
    if last is None:
        return None
    if last.answer in AMBIGUOUS:
        return "ambiguous answer"
    for incident in evidence.incidents:
        # It was killed or fell asleep before it could write down that the mail was accepted.
        forgot = incident.target == last.worker and incident.kind != "SIGTERM"
        if forgot and last.arrived - 1 <= incident.began <= (last.answered or last.arrived) + LEASE_SECONDS:
            return incident.name
        # It fell asleep after its claim, and wakes up not knowing that another worker took over.
        slept = incident.target == offer.worker and incident.kind == SLEEP
        if slept and incident.began <= offer.arrived <= incident.ended + 1:
            return incident.name
    return None
