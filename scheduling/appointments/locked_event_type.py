"""Choose hosts while an event type and the diaries of its hosts are locked, and explain refusals to guests."""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from scheduling.appointments.hosts import EventTypeWithHosts, make_rules, select_taken
from scheduling.availability.explanation import Explanation, explain
from scheduling.availability.facts import EventType, Host
from scheduling.availability.fairness import choose
from scheduling.availability.rules import Rule
from scheduling.availability.slots import find_slots, nearest
from scheduling.context import reading, transaction
from scheduling.errors import ApiError, not_found
from sql.database import Transaction
from sql.queries import Row, appointments

# How many free slots a refusal lists, and how near they are.
_SHOWN, _AROUND, _NEARBY = 3, timedelta(hours=12), timedelta(days=14)
_MINUTE = timedelta(minutes=1)
# The rules that refuse because somebody else has the time.
_TAKEN = frozenset({Rule.BUFFER, Rule.BUSY, Rule.HELD})
# The sentences for guests, which say nothing about a host but free times.
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

_INSTANTS = ("claim_start", "claim_end", "start_time", "end_time")

Assignment = tuple[list[int], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class LockedEventType:
    """An event type while this transaction has locked it and the diaries of everybody who may be concerned.

    An appointment that moves keeps its hosts and its length, and is not in its own way; nor is a hold that is booked.
    """

    row: Row
    rules: EventType
    moving: Row | None = None

    @property
    def now(self) -> datetime:
        """Return the time of the transaction."""
        moment: datetime = self.row["now"]
        return moment

    def choose(self, start: datetime) -> Assignment:
        """Return who is booked at a start, and why; raise ApiError where nobody can be."""
        user_ids: list[int] = self.row["user_ids"]
        hosts = self._hosts(map(_with_times, self.row["taken"]))
        if len(hosts) < len(user_ids):
            raise _not_bookable({Rule.NOT_MEMBER})
        verdict = explain(self.rules, hosts, now=self.now, start=start)
        if not verdict.bookable:
            raise self._refusal(verdict, start)
        if self.row["hold_id"]:
            return user_ids, self.row["hold_assignment"]
        if self.rules.assignment != "any":
            mode, chosen = self.rules.assignment, [host.user_id for host in hosts]
            return chosen, {"mode": mode, "chosen": chosen, "passed_over": []}
        choice = choose(self._take_turns(host for host in hosts if host.user_id in verdict.free))
        busy = [host for host in verdict.hosts if not host.bookable]
        passed_over = [asdict(one) for one in choice.passed_over] + [
            {"user_id": host.user_id, "reason": " ".join(rule.detail for rule in host.rules if not rule.passed)}
            for host in busy
        ]
        return [choice.user_id], {"mode": "any", "chosen": [choice.user_id], "passed_over": passed_over}

    def nearest(self, tx: Transaction, start: datetime) -> list[dict[str, datetime]]:
        """Return the nearest free slots; it looks around first, because there they mostly are."""
        event_type = EventTypeWithHosts(self.row, self.rules)
        for reach in (_AROUND, _NEARBY):
            begin, end = start - reach, start + reach
            taken = select_taken(
                tx,
                event_type,
                begin,
                end,
                user_ids=self.row["user_ids"],
                except_appointment_id=self.moving["id"] if self.moving else None,
            )
            free = find_slots(self.rules, self._hosts(taken), now=self.now, start=begin, end=end)
            found = nearest(free, start, _SHOWN)
            if len(found) == _SHOWN:
                break
        return [{"start": slot.start, "end": slot.end} for slot in found]

    def _hosts(self, taken: Iterable[Row]) -> list[Host]:
        own = ("hold", self.row["hold_id"])
        others = [row for row in taken if (row["kind"], row["number"]) != own]
        return EventTypeWithHosts(self.row, self.rules).hosts(others, self.row["user_ids"])

    def _take_turns(self, hosts: Iterable[Host]) -> list[Host]:
        """Return hosts with what decides whose turn it is."""
        turns = {turn["user_id"]: turn for turn in self.row["turns"]}
        return [
            replace(
                host,
                upcoming=turns[host.user_id]["upcoming"],
                last_booked_at=_instant(turns[host.user_id]["last_booked_at"]),
            )
            for host in hosts
        ]

    def _refusal(self, verdict: Explanation, start: datetime) -> ApiError:
        failed = [{rule.code for rule in host.rules if not rule.passed} for host in verdict.hosts]
        codes = {code for codes in failed for code in codes}
        if any(codes & _TAKEN and codes <= _TAKEN | {Rule.DAILY_LIMIT} for codes in failed):
            return SlotTaken(self, start, codes)
        return _not_bookable(codes)


def lock_event_type(tx: Transaction, uid: str, start: datetime, *, hold_uid: str | None = None) -> LockedEventType:
    """Lock an event type and all diaries that a booking concerns; raise ApiError 404 where there is none."""
    appointments.lock_event_type(tx.with_next, event_type_uid=uid, hold_uid=hold_uid)
    row = _select(tx, event_type_uid=uid, starts=start, hold_uid=hold_uid)
    if row is None:
        raise not_found("Event type")
    return LockedEventType(row, make_rules(row))


def event_type_of(tx: Transaction, appointment: Row, start: datetime) -> LockedEventType | None:
    """Return the event type of an appointment that moves, its diaries locked; None where it is offered no more."""
    length = appointment["end_time"] - appointment["start_time"]
    row = _select(
        tx,
        event_type_uid=appointment["event_type_uid"],
        starts=start,
        ends=start + length,
        user_ids=appointment["hosts"],
        except_appointment_id=appointment["id"],
    )
    return LockedEventType(row, _as_booked(make_rules(row), appointment), appointment) if row else None


def _select(tx: Transaction, **given: Any) -> Row | None:
    absent = dict.fromkeys(("ends", "user_ids", "hold_uid", "except_appointment_id"))
    row: Row | None = appointments.select_locked_event_type(tx, **absent | given)
    return row


def _with_times(row: Row) -> Row:
    """Return what JSON told of a time that is taken, as a statement of its own would."""
    return row | {name: _instant(row[name]) for name in _INSTANTS}


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


class SlotTaken(ApiError):  # noqa: N818 - a refusal, as its code says
    """The refusal of a time that something else has taken."""

    def __init__(self, event_type: LockedEventType, start: datetime, codes: AbstractSet[Rule]) -> None:
        """Remember what was wanted: what is free instead is looked for when the diaries are free again."""
        super().__init__(409, "slot_taken", "This time is taken; others may be free", rules=_for_guests(codes))
        self.event_type, self.start = event_type, start


@contextmanager
def booking_transaction() -> Iterator[Transaction]:
    """Run a transaction that takes time of hosts; who is refused is shown what is free, when the locks are released."""
    try:
        with transaction() as tx:
            yield tx
    except SlotTaken as refusal:
        with reading() as tx:
            refusal.members["slots"] = refusal.event_type.nearest(tx, refusal.start)
        raise


def _as_booked(rules: EventType, appointment: Row) -> EventType:
    """Return the rules for an appointment that moves: it is as long as it is, and all its hosts move with it."""
    return replace(
        rules,
        duration_minutes=-(-(appointment["end_time"] - appointment["start_time"]) // _MINUTE),
        buffer_before_minutes=appointment["buffer_before_minutes"],
        buffer_after_minutes=appointment["buffer_after_minutes"],
        assignment="all",
    )


def _not_bookable(codes: AbstractSet[Rule]) -> ApiError:
    return ApiError(400, "not_bookable", "This time cannot be booked", rules=_for_guests(codes))


def _for_guests(codes: AbstractSet[Rule]) -> list[dict[str, str]]:
    return [{"code": code.value, "detail": _TO_GUESTS[code]} for code in Rule if code in codes]
