"""Define the input of the engine; all times are aware and in UTC, all minutes whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
MINUTES_OF_A_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class WeeklyHours:
    """Hours on some days of the week, in minutes of the local day; 1440 is its end."""

    days: Sequence[str]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """Weekly hours in a time zone, and dates with other hours, in minutes of the local day."""

    time_zone: ZoneInfo
    rules: Sequence[WeeklyHours]
    overrides: Mapping[date, Sequence[tuple[int, int]]] = field(default_factory=dict)


ALWAYS = Schedule(ZoneInfo("UTC"), rules=(WeeklyHours(DAYS, 0, MINUTES_OF_A_DAY),))


@dataclass(frozen=True, slots=True)
class EventType:
    """How long a meeting is, when it may start, and whether one host, any of them or all attend."""

    duration_minutes: int
    slot_minutes: int
    buffer_before_minutes: int = 0
    buffer_after_minutes: int = 0
    notice_minutes: int = 0
    horizon_days: int = 60
    daily_limit: int | None = None
    assignment: Literal["one", "any", "all"] = "one"

    @property
    def duration(self) -> timedelta:
        """Return how long a meeting lasts."""
        return timedelta(minutes=self.duration_minutes)

    @property
    def step(self) -> timedelta:
        """Return how far apart starts lie."""
        return timedelta(minutes=self.slot_minutes)

    @property
    def buffer_before(self) -> timedelta:
        """Return how long a host must be free before a meeting."""
        return timedelta(minutes=self.buffer_before_minutes)

    @property
    def buffer_after(self) -> timedelta:
        """Return how long a host must be free after a meeting."""
        return timedelta(minutes=self.buffer_after_minutes)

    @property
    def notice(self) -> timedelta:
        """Return how long before its start a meeting must be booked."""
        return timedelta(minutes=self.notice_minutes)

    @property
    def horizon(self) -> timedelta:
        """Return how far ahead a meeting may be booked."""
        return timedelta(days=self.horizon_days)

    def hosts_needed(self, hosts: int) -> int:
        """Return how many of the hosts must be free."""
        return 1 if self.assignment == "any" else max(hosts, 1)


@dataclass(frozen=True, slots=True)
class Busy:
    """A booking of a host: the time it claims, buffers included, and its own start and end."""

    start: datetime
    end: datetime
    own_start: datetime
    own_end: datetime
    number: int


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold of a guest: the time it claims, buffers included, and when it expires."""

    start: datetime
    end: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Host:
    """A host: schedule, claimed times, starts that count for the daily limit, and bookings so far."""

    user_id: int
    schedule: Schedule = ALWAYS
    busy: Sequence[Busy] = ()
    holds: Sequence[Hold] = ()
    booked_starts: Sequence[datetime] = ()
    is_member: bool = True
    upcoming: int = 0
    last_booked_at: datetime | None = None
