"""Read event types and hosts, and turn rows into the input of the availability engine."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from scheduling.availability.facts import Busy, EventType, Hold, Host, Schedule, WeeklyHours
from scheduling.errors import ApiError, not_found
from sql.database import Transaction
from sql.queries import Row, appointments

# A host without a schedule can be booked in office hours.
_OFFICE_HOURS = Schedule(ZoneInfo("UTC"), rules=(WeeklyHours(("MO", "TU", "WE", "TH", "FR"), 9 * 60, 17 * 60),))


@dataclass(frozen=True, slots=True)
class EventTypeWithHosts:
    """An event type: its row, its rules, and its hosts, before their taken time is read."""

    row: Row
    rules: EventType

    @property
    def user_ids(self) -> list[int]:
        """Return the ids of all hosts."""
        return [host["user_id"] for host in self.row["hosts"]]

    def hosts(self, taken: Iterable[Row], user_ids: Sequence[int] | None = None) -> list[Host]:
        """Return the hosts, or some of them, with what is taken of their time."""
        people = [host for host in self.row["hosts"] if user_ids is None or host["user_id"] in user_ids]
        return make_hosts(people, taken)


def find_event_type(tx: Transaction, uid: str, *, even_inactive: bool = False) -> EventTypeWithHosts:
    """Return an event type; raise ApiError 404 where there is none, or it is not active any more."""
    row = appointments.select_event_type_with_hosts(tx, event_type_uid=uid)
    if row is None or not (row["is_active"] or even_inactive):
        raise not_found("Event type")
    return EventTypeWithHosts(row, make_rules(row))


def require_insider(tx: Transaction, event_type: EventTypeWithHosts, user_id: int) -> None:
    """Raise ApiError 403 for a caller who is neither a host nor a manager."""
    about = {name: event_type.row[name] for name in ("organization_id", "owner_id")}
    if not appointments.select_insider(tx, event_type_id=event_type.row["id"], user_id=user_id, **about):
        raise ApiError(403, "forbidden", "This is for the hosts of the event type, and for who manages it")


def select_taken(
    tx: Transaction,
    event_type: EventTypeWithHosts,
    starts: datetime,
    ends: datetime,
    *,
    user_ids: Sequence[int] | None = None,
    except_appointment_id: int | None = None,
) -> list[Row]:
    """Return what is taken of the hosts' time, or of some of them, around [starts, ends), but for one appointment."""
    rows: list[Row] = appointments.select_taken(
        tx,
        user_ids=list(user_ids or event_type.user_ids),
        starts=starts,
        ends=ends,
        event_type_uid=event_type.row["uid"],
        except_appointment_id=except_appointment_id,
    )
    return rows


def make_hosts(people: Iterable[Mapping[str, Any]], taken: Iterable[Row]) -> list[Host]:
    """Return people as the engine knows them."""
    by_person: dict[int, list[Row]] = defaultdict(list)
    for row in taken:
        by_person[row["user_id"]].append(row)
    return [_host(person, by_person[person["user_id"]]) for person in people]


def make_rules(row: Row) -> EventType:
    """Return the rules of an event type as the engine knows them."""
    return EventType(
        duration_minutes=row["duration_minutes"],
        slot_minutes=row["slot_minutes"],
        buffer_before_minutes=row["buffer_before_minutes"],
        buffer_after_minutes=row["buffer_after_minutes"],
        notice_minutes=row["notice_minutes"],
        horizon_days=row["horizon_days"],
        daily_limit=row["daily_limit"],
        assignment=row["assignment"],
    )


def _host(person: Mapping[str, Any], taken: Sequence[Row]) -> Host:
    bookings = [row for row in taken if row["kind"] == "booking"]
    return Host(
        user_id=person["user_id"],
        schedule=_schedule(person),
        busy=[
            Busy(row["claim_start"], row["claim_end"], row["start_time"], row["end_time"], row["number"])
            for row in bookings
        ],
        holds=[Hold(row["claim_start"], row["claim_end"], row["end_time"]) for row in taken if row["kind"] == "hold"],
        booked_starts=[row["start_time"] for row in taken if row["of_type"]],
        is_member=person.get("is_member", True),
    )


def _schedule(person: Mapping[str, Any]) -> Schedule:
    if person["time_zone"] is None:
        return _OFFICE_HOURS
    return Schedule(
        ZoneInfo(person["time_zone"]),
        rules=[WeeklyHours(rule["days"], _minutes(rule["start"]), _minutes(rule["end"])) for rule in person["rules"]],
        overrides={
            date.fromisoformat(override["date"]): [
                (_minutes(interval["start"]), _minutes(interval["end"])) for interval in override["intervals"]
            ]
            for override in person["overrides"]
        },
    )


def _minutes(time: str) -> int:
    hours, _, minutes = time.partition(":")
    return int(hours) * 60 + int(minutes)
