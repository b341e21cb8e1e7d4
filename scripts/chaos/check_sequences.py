"""Hold the mails about guests' bookings against the rule of what is put off, superseded and told to calendars.

docs/reliability.md has the rule, under "Book and cancel"; here it is worked out again from what was written when.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import pairwise

from scripts.chaos.check_mails import first_acceptances
from scripts.chaos.events import CANCELLED, CONFIRMED, MOVED, OF_GUESTS, by_uid
from scripts.chaos.evidence import EmailRow, Evidence

MINUTE = timedelta(minutes=1)
# A change may wait for its turn after its transaction began, and what it would replace be offered meanwhile.
TURN = timedelta(seconds=10)
KINDS = frozenset(OF_GUESTS.values())


def mails_are_put_off_by_the_rule(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each mail that was put off otherwise than the last cancellation asks for."""
    links = {row.id: (row.event_type_uid, row.guest_email) for rows in by_uid(evidence).values() for row in rows}
    cancelled: dict[tuple[str, str, str], EmailRow] = {}
    confirmed: dict[tuple[str, int], EmailRow] = {}
    for mail in _of_guests(evidence.emails):
        if mail.booking_id not in links or mail.created_at is None:
            yield f"Mail {mail.id} is about booking {mail.booking_id}, which is not there."
            continue
        pair = (*links[mail.booking_id], mail.recipient)
        booking = (mail.recipient, mail.booking_id)
        until = None
        if mail.kind == OF_GUESTS[CONFIRMED]:
            confirmed[booking] = mail
            last = cancelled.get(pair)
            until = last.created_at + MINUTE if last and last.created_at else None
        elif mail.kind == OF_GUESTS[MOVED]:
            until = confirmed[booking].put_off_until if booking in confirmed else None
        elif mail.status != "superseded":
            cancelled[pair] = mail
        due = until if until and until > mail.created_at else None
        if mail.put_off_until != due:
            yield f"Mail {mail.id} ({mail.kind} for {mail.recipient}) is put off until {mail.put_off_until}, not {due}."


def mails_are_superseded_by_the_rule(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each mail that was superseded without a reason, or was not although it had to be."""
    offered = {offer.key for offer in evidence.offers}
    lines: dict[tuple[str, int | None], list[EmailRow]] = defaultdict(list)
    for mail in _of_guests(evidence.emails):
        lines[mail.recipient, mail.booking_id].append(mail)
    for line in lines.values():
        untold = {mail.kind for mail in line if mail.status == "superseded"}
        for number, mail in enumerate(line):
            is_superseded = mail.status == "superseded"
            if is_superseded and (mail.key in offered or mail.attempts):
                yield f"Mail {mail.id} for {mail.recipient} is superseded and was offered."
            if mail.kind == OF_GUESTS[CANCELLED]:
                if is_superseded != (OF_GUESTS[CONFIRMED] in untold):
                    yield f"Mail {mail.id} for {mail.recipient} is {mail.status}, its confirmation otherwise."
                continue
            rivals = [later for later in line[number + 1 :] if later.kind in (mail.kind, OF_GUESTS[CANCELLED])]
            if is_superseded and not (rivals and mail.put_off_until):
                yield f"Mail {mail.id} ({mail.kind} for {mail.recipient}) is superseded, and nothing took its place."
            if not is_superseded and any(_must_replace(later, mail) for later in rivals):
                yield f"Mail {mail.id} ({mail.kind} for {mail.recipient}) is {mail.status}, and has to be superseded."


def sequences_rise(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each recipient whose mails about one meeting do not bear rising numbers."""
    rows = {row.key: row for row in evidence.emails}
    told: dict[tuple[str, str], list[int]] = defaultdict(list)
    for offer in first_acceptances(evidence):
        row = rows.get(offer.key)
        if row and row.sequence is not None and offer.sequence != row.sequence:
            yield f"Mail {row.id} for {offer.recipient} tells calendars {offer.sequence}, and is change {row.sequence}."
        if offer.sequence is not None:
            told[offer.recipient, offer.meeting].append(offer.sequence)
    for (recipient, meeting), numbers in told.items():
        if any(later <= earlier for earlier, later in pairwise(numbers)):
            yield f"{recipient} was sent the changes of {meeting} in the order {numbers}."


def last_change_is_told(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for each booking of which somebody knows, but not how it ended."""
    accepted = {offer.key for offer in first_acceptances(evidence)}
    told: dict[tuple[str, int | None], list[int]] = defaultdict(list)
    for mail in _of_guests(evidence.emails):
        if mail.key in accepted and mail.sequence is not None:
            told[mail.recipient, mail.booking_id].append(mail.sequence)
    last = {row.id: row.sequence for row in evidence.appointments}
    for (recipient, booking_id), numbers in told.items():
        sequence = last.get(booking_id or 0)
        if max(numbers) != sequence:
            yield f"{recipient} was told of change {max(numbers)} of booking {booking_id}, and not of {sequence}."


def _of_guests(mails: Iterable[EmailRow]) -> list[EmailRow]:
    return sorted((mail for mail in mails if mail.kind in KINDS), key=lambda mail: mail.id)


def _must_replace(later: EmailRow, mail: EmailRow) -> bool:
    return bool(mail.put_off_until and later.created_at and mail.put_off_until > later.created_at + TURN)
