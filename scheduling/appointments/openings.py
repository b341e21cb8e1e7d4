"""What a link offers while the diaries of its hosts are locked, and what a guest is told who is refused."""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from scheduling.appointments.hosts import Bookable, find_bookable, select_taken, take_turns
from scheduling.availability.explanation import Explanation, explain
from scheduling.availability.facts import EventType, Host
from scheduling.availability.fairness import choose
from scheduling.availability.rules import Rule
from scheduling.availability.slots import find_slots, nearest
from scheduling.context import reading, transaction
from scheduling.errors import ApiError
from sql.database import Transaction
from sql.queries import Row, appointments

# A refused guest is shown this many times that are free this near.
_SHOWN, _AROUND, _NEARBY = 3, timedelta(hours=12), timedelta(days=14)
_MINUTE = timedelta(minutes=1)
# What another booking is in the way of; the guest can do nothing about the other rules by hurrying.
_TAKEN = frozenset({Rule.BUFFER, Rule.BUSY, Rule.HELD})
# What a guest is told: nothing of a host but free times.
_TO_GUESTS = {
    Rule.OUTSIDE_HOURS: "Outside of the hours that can be booked.",
    Rule.OVERRIDE: "Outside of the hours of that date.",
    Rule.GRID: "Not one of the starts that are offered.",
    Rule.NOTICE: "Too soon.",
    Rule.HORIZON: "Too far ahead.",
    Rule.DAILY_LIMIT: "No more bookings on that date.",
    Rule.BUFFER: "This time is taken.",
    Rule.BUSY: "This time is taken.",
    Rule.HELD: "This time is held by somebody else.",
    Rule.NOT_MEMBER: "Nobody can be booked at present.",
}

Assignment = tuple[list[int], dict[str, Any]]


class Opening:
    """A link while this transaction holds the diaries of everybody who may be concerned."""

    def __init__(
        self, tx: Transaction, event_type_uid: str, *, moving: Row | None = None, hold_uid: str | None = None
    ) -> None:
        """Lock the diaries.

        A booking that moves keeps its hosts and its length, and is not in its own way; nor is a hold that is booked.
        """
        self.bookable: Bookable = find_bookable(tx, event_type_uid)
        self.event_type = _as_booked(self.bookable.event_type, moving) if moving else self.bookable.event_type
        self.now: datetime = self.bookable.row["now"]
        self._moving = moving
        hosts: list[int] = moving["hosts"] if moving else self.bookable.user_ids
        held = self._find_hold(tx, hold_uid)
        appointments.lock_diaries(
            tx,
            user_ids=sorted({*hosts, *(held["hosts"] if held else ())}),
            # What moves refers to it already, and holds the diaries.
            event_type_uid=None if moving else event_type_uid,
        )
        self.held = self._find_hold(tx, hold_uid) if held else None
        self.user_ids: list[int] = self.held["hosts"] if self.held else hosts

    def choose(self, tx: Transaction, start: datetime) -> Assignment:
        """Return who is booked at a start, and why; raise ApiError where nobody can be."""
        hosts = self._hosts(tx, start, start + self.event_type.duration)
        if len(hosts) < len(self.user_ids):
            raise _not_bookable({Rule.NOT_MEMBER})
        verdict = explain(self.event_type, hosts, now=self.now, start=start)
        if not verdict.bookable:
            raise self._refusal(verdict, start)
        if self.held:
            return self.user_ids, self.held["assignment"]
        if self.event_type.assignment != "any":
            mode, chosen = self.event_type.assignment, [host.user_id for host in hosts]
            return chosen, {"mode": mode, "chosen": chosen, "passed_over": []}
        free = [host for host in hosts if host.user_id in verdict.free]
        choice = choose(take_turns(tx, self.bookable, free))
        busy = [host for host in verdict.hosts if not host.bookable]
        passed_over = [asdict(one) for one in choice.passed_over] + [
            {"user_id": host.user_id, "reason": " ".join(rule.detail for rule in host.rules if not rule.passed)}
            for host in busy
        ]
        return [choice.user_id], {"mode": "any", "chosen": [choice.user_id], "passed_over": passed_over}

    def nearest(self, tx: Transaction, start: datetime) -> list[dict[str, datetime]]:
        """Return the nearest free slots; it looks around first, because there they mostly are."""
        for reach in (_AROUND, _NEARBY):
            begin, end = start - reach, start + reach
            free = find_slots(self.event_type, self._hosts(tx, begin, end), now=self.now, start=begin, end=end)
            found = nearest(free, start, _SHOWN)
            if len(found) == _SHOWN:
                break
        return [{"start": slot.start, "end": slot.end} for slot in found]

    def _hosts(self, tx: Transaction, start: datetime, end: datetime) -> Sequence[Host]:
        but = self._moving["uid"] if self._moving else None
        taken = select_taken(tx, self.bookable, start, end, user_ids=self.user_ids, but=but)
        if self.held:
            own = ("hold", self.held["id"])
            taken = [row for row in taken if (row["kind"], row["number"]) != own]
        return self.bookable.hosts(taken, self.user_ids)

    def _find_hold(self, tx: Transaction, uid: str | None) -> Row | None:
        """Return a hold of this link; one that has run out is none."""
        if uid is None:
            return None
        held: Row | None = appointments.select_hold(tx, uid=uid, event_type_id=self.bookable.row["id"])
        return held

    def _refusal(self, verdict: Explanation, start: datetime) -> ApiError:
        failed = [{rule.code for rule in host.rules if not rule.passed} for host in verdict.hosts]
        codes = {code for codes in failed for code in codes}
        if any(codes & _TAKEN and codes <= _TAKEN | {Rule.DAILY_LIMIT} for codes in failed):
            return SlotTaken(self, start, codes)
        return _not_bookable(codes)


class SlotTaken(ApiError):  # noqa: N818 - a refusal, as its code says
    """The refusal of a time that something else has taken."""

    def __init__(self, opening: Opening, start: datetime, codes: AbstractSet[Rule]) -> None:
        """Remember what was wanted: what is free instead is looked for when the diaries are free again."""
        super().__init__(409, "slot_taken", "This time is taken; others may be free", rules=_for_guests(codes))
        self.opening, self.start = opening, start


@contextmanager
def taking_time() -> Iterator[Transaction]:
    """Run a transaction that takes time of hosts; who is refused is shown what is free, while nobody waits for it."""
    try:
        with transaction() as tx:
            yield tx
    except SlotTaken as refusal:
        with reading() as tx:
            refusal.members["slots"] = refusal.opening.nearest(tx, refusal.start)
        raise


def _as_booked(event_type: EventType, booking: Row) -> EventType:
    """Return the rules for a booking that moves: it is as long as it is, and all its hosts move with it."""
    return replace(
        event_type,
        duration_minutes=-(-(booking["end_time"] - booking["start_time"]) // _MINUTE),
        buffer_before_minutes=booking["buffer_before_minutes"],
        buffer_after_minutes=booking["buffer_after_minutes"],
        assignment="all",
    )


def _not_bookable(codes: AbstractSet[Rule]) -> ApiError:
    return ApiError(400, "not_bookable", "This time cannot be booked", rules=_for_guests(codes))


def _for_guests(codes: AbstractSet[Rule]) -> list[dict[str, str]]:
    return [{"code": code.value, "detail": _TO_GUESTS[code]} for code in Rule if code in codes]
