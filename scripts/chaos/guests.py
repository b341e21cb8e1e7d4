"""Guests who book, hold, move and cancel through links, and repeat what they lost the answer to."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from scripts.chaos.api import Answer
from scripts.chaos.history import Operation, Outcome
from scripts.chaos.links import Link
from scripts.chaos.provider import REFUSED
from scripts.chaos.visitor import Surroundings, Visitor, midnight, new_key

HABITS = {"book": 48, "move": 18, "cancel": 22, "hold": 8, "change_address": 4}
# How a guest books: what makes a repetition safe, if anything does.
WAYS = {("key",): 35, ("hold",): 25, ("hold", "key"): 20, (): 20}
REPEAT_SHARE = 0.2
RELEASE_SHARE = 0.7
REFUSED_SHARE = 0.15
# Guests want a start of these days; each tries one of a link once, under one address.
STARTS = 2 * 48
PRECONDITION_FAILED = 412
HALF_AN_HOUR = timedelta(minutes=30)


@dataclass(slots=True)
class Address:
    """An address that a guest uses for some time, and what was tried with it."""

    email: str
    tried: set[tuple[str, datetime]] = field(default_factory=set)


@dataclass(slots=True)
class Meeting:
    """A booking that one guest, and nobody else, changes."""

    name: str
    address: Address
    link: Link
    uid: str
    token: str
    etag: str


class Guest(Visitor):
    """Somebody without an account."""

    habits = HABITS

    def __init__(self, number: int, links: Sequence[Link], surroundings: Surroundings) -> None:
        super().__init__(f"guest {number}", surroundings)
        self._number = number
        self._links = links
        self._first = midnight()
        self._meetings: list[Meeting] = []
        self._address = Address(f"guest-{number}@example.com")

    def _change_address(self) -> None:
        prefix = REFUSED if self._random.random() < REFUSED_SHARE else ""
        self._address = Address(f"{prefix}guest-{self._number}-{self._next()}@example.com")

    def _book(self) -> None:
        link, address = self._random.choice(self._links), self._address
        if (start := self._find_start(link, address)) is None:
            return
        ways, weights = list(WAYS), list(WAYS.values())
        way = self._random.choices(ways, weights)[0]
        hold = self._take_hold(link, start) if "hold" in way else ""
        if hold is None:
            return
        name = f"Guest {self._number}-{self._next()}"
        body = {"start": start.isoformat(), "name": name, "email": address.email, "time_zone": "America/New_York"}
        body |= {"hold": hold} if hold else {}
        key = new_key() if "key" in way else ""
        path = f"/event-types/{link.uid}/bookings"
        operation = Operation("guest book", address.email, name, address.email, key, start=start, hold=hold)
        answer = self.send(operation, "POST", path, body=body)
        if operation.outcome is not Outcome.OK:
            return
        operation.uid = answer.body["booking"]["uid"]
        if way and self._random.random() < REPEAT_SHARE:
            again = Operation("guest repeat", address.email, name, address.email, key, start=start, hold=hold)
            repeated = self.send(again, "POST", path, body=body)
            if again.outcome is Outcome.OK:
                again.uid = repeated.body["booking"]["uid"]
                # The token that was told again must manage the booking as the first one does.
                answer = repeated
        token = answer.body["manage_token"]
        self._meetings.append(Meeting(name, address, link, operation.uid, token, answer.etag))

    def _move(self) -> None:
        if not self._meetings:
            return
        meeting = self._random.choice(self._meetings)
        if (start := self._find_start(meeting.link, meeting.address)) is None:
            return
        email = meeting.address.email
        operation = Operation("guest move", email, meeting.name, email, uid=meeting.uid, start=start)
        self._change(meeting, operation, "PATCH", body={"start": start.isoformat()})

    def _cancel(self) -> None:
        if self._meetings:
            meeting = self._random.choice(self._meetings)
            email = meeting.address.email
            operation = Operation("guest cancel", email, meeting.name, email, uid=meeting.uid)
            self._change(meeting, operation, "DELETE")

    def _hold(self) -> None:
        link = self._random.choice(self._links)
        start = self._first + self._random.randrange(STARTS) * HALF_AN_HOUR
        hold = self._take_hold(link, start)
        if hold and self._random.random() < RELEASE_SHARE:
            operation = Operation("guest release", "", hold, "", hold=hold)
            self.send(operation, "DELETE", f"/holds/{hold}")

    def _take_hold(self, link: Link, start: datetime) -> str | None:
        """Hold a start and return the hold; None where that was refused, or is unknown."""
        marker = f"Hold {self._number}-{self._next()}"
        operation = Operation("guest hold", "", marker, "", new_key(), start=start)
        answer = self.send(operation, "POST", f"/event-types/{link.uid}/holds", body={"start": start.isoformat()})
        if operation.outcome is not Outcome.OK:
            return None
        operation.uid = answer.body["hold"]
        return operation.uid

    def _change(self, meeting: Meeting, operation: Operation, method: str, **options: Any) -> None:
        """Change a booking; whose state is unknown is left alone from now on."""
        path = f"/guest/bookings/{meeting.uid}"
        # If-Match: what was on its way for long must not undo what was done meanwhile.
        answer: Answer = self.send(operation, method, path, token=meeting.token, etag=meeting.etag, **options)
        if operation.outcome is Outcome.FAIL:
            return
        is_moved = operation.outcome is Outcome.OK and operation.kind == "guest move"
        if is_moved and answer.status == PRECONDITION_FAILED:
            read = Operation("guest read", meeting.address.email, meeting.name, "")
            answer = self.api.perform(read, "GET", path, token=meeting.token)
        if is_moved and answer.etag:
            meeting.etag = answer.etag
        else:
            self._meetings.remove(meeting)

    def _find_start(self, link: Link, address: Address) -> datetime | None:
        """Return a start that was not tried under an address: then no refusal is of the guest's own making."""
        start = self._first + self._random.randrange(STARTS) * HALF_AN_HOUR
        if (link.uid, start) in address.tried:
            return None
        address.tried.add((link.uid, start))
        return start
