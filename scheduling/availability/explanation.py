"""Explain why a time can or cannot be booked, with one verdict for each host and rule."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from scheduling.availability.facts import EventType, Host
from scheduling.availability.grid import anchors_of
from scheduling.availability.hours import hours_between
from scheduling.availability.refusals import REFUSALS, Case, make_case
from scheduling.availability.rules import Rule

_PASSED = {
    Rule.OUTSIDE_HOURS: "The meeting lies within weekly hours or within hours of its date.",
    Rule.OVERRIDE: "No date with hours of its own closes this time.",
    Rule.GRID: "The start lies on the grid, or outside the hours, where there is none.",
    Rule.NOTICE: "The notice is long enough.",
    Rule.HORIZON: "The start is not too far ahead.",
    Rule.DAILY_LIMIT: "The date has room for a booking.",
    Rule.BUFFER: "No buffer is in the way.",
    Rule.BUSY: "No booking is in the way.",
    Rule.HELD: "Nobody holds this time.",
    Rule.NOT_MEMBER: "The host belongs to the team.",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict of a rule; `until` is when a refusal ends by itself, or None."""

    code: Rule
    passed: bool
    detail: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class HostVerdict:
    """The verdicts of all rules about a host."""

    user_id: int
    bookable: bool
    rules: list[Verdict]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Whether a time can be booked, and the verdicts about each host."""

    bookable: bool
    hosts: list[HostVerdict]

    @property
    def free(self) -> list[int]:
        """Return the ids of the hosts that no rule refuses."""
        return [host.user_id for host in self.hosts if host.bookable]


def explain(event_type: EventType, hosts: Sequence[Host], *, now: datetime, start: datetime) -> Explanation:
    """Return the verdicts about a meeting at a time, which can be booked exactly if `find_slots` returns it."""
    end = start + event_type.duration
    hours = [hours_between(host.schedule, start, end) for host in hosts]
    cases = [
        make_case(event_type, host, its_hours, anchors, now=now, start=start)
        for host, its_hours, anchors in zip(hosts, hours, anchors_of(event_type, hours), strict=True)
    ]
    verdicts = [_judge(case) for case in cases]
    free = sum(verdict.bookable for verdict in verdicts)
    return Explanation(free >= event_type.hosts_needed(len(hosts)), verdicts)


def _judge(case: Case) -> HostVerdict:
    verdicts = []
    for rule, refuse in REFUSALS.items():
        refusal = refuse(case)
        if refusal:
            verdicts.append(Verdict(rule, passed=False, detail=refusal.detail, until=refusal.until))
        else:
            verdicts.append(Verdict(rule, passed=True, detail=_PASSED[rule], until=None))
    return HostVerdict(case.host.user_id, all(verdict.passed for verdict in verdicts), verdicts)
