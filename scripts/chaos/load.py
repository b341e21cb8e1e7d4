"""People who register, book, cancel, restore, found organizations and invite one another, all at once."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from scripts.chaos.api import PASSWORD, Answer
from scripts.chaos.history import Operation, Outcome
from scripts.chaos.provider import REFUSED
from scripts.chaos.visitor import Surroundings, Visitor, midnight, new_key

# What a client does next, and how often.
HABITS = {"create": 60, "cancel": 22, "restore": 6, "register": 4, "invite": 8}
TEAMS = 3
# All clients of a team want the same few hours.
CONTENDED_HOURS = 24
EXCLUSIVE_SHARE = 0.4
TEAM_SHARE = 0.3
REFUSED_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account."""

    email: str
    token: str


@dataclass(slots=True)
class Entry:
    """A booking that one client, and nobody else, changes."""

    owner: Person
    title: str
    row_id: int
    etag: str
    is_cancelled: bool = False


@dataclass
class Town:
    """What the clients share: who lives there, and the teams that several of them book for."""

    people: list[Person] = field(default_factory=list)
    teams: list[Person] = field(default_factory=list)


class Client(Visitor):
    """A person with accounts, who acts for teams as well."""

    habits = HABITS

    def __init__(self, number: int, town: Town, surroundings: Surroundings) -> None:
        super().__init__(f"client {number}", surroundings)
        self._number = number
        self._town = town
        self._entries: list[Entry] = []
        self._selves: list[Person] = []
        self._organization: tuple[Person, str, int] | None = None
        self._invited: set[str] = set()
        self._first = midnight()

    def _choose(self) -> str:
        return super()._choose() if self._selves else "register"

    def register(self, prefix: str = "") -> Person | None:
        """Open an account; sign in when the answer, and with it the token, got lost."""
        name = f"person-{self._number}-{self._next()}"
        email = f"{prefix}{name}@example.com"
        body = {"name": name, "email": email, "password": PASSWORD}
        operation = Operation("register", email, email, email)
        answer = self.api.perform(operation, "POST", "/auth/register", body=body)
        if operation.outcome is not Outcome.OK:
            return None
        if "token" not in answer.body:
            credentials = {"email": email, "password": PASSWORD}
            answer = self.api.perform(Operation("login", email, email, ""), "POST", "/auth/login", body=credentials)
        return Person(email, answer.body["token"]) if "token" in answer.body else None

    def _register(self) -> None:
        is_refused = bool(self._selves) and self._random.random() < REFUSED_SHARE
        if person := self.register(REFUSED if is_refused else ""):
            self._selves.append(person)
            self._town.people.append(person)

    def _create(self) -> None:
        is_exclusive = self._random.random() < EXCLUSIVE_SHARE
        owner = self._random.choice(self._selves)
        if self._town.teams and self._random.random() < TEAM_SHARE:
            owner, is_exclusive = self._random.choice(self._town.teams), True
        start = self._first + timedelta(minutes=30 * self._random.randrange(2 * CONTENDED_HOURS))
        title = f"Talk {self._number}-{self._next()}"
        body: dict[str, object] = {
            "title": title,
            "start": start.isoformat(),
            "end": (start + timedelta(minutes=self._random.choice((30, 60, 90)))).isoformat(),
            "exclusive": is_exclusive,
        }
        operation = Operation("create", owner.email, title, owner.email, new_key(), is_exclusive)
        answer = self._send(operation, "POST", "/bookings", owner, body=body)
        if operation.outcome is Outcome.OK:
            operation.row_id = answer.body["booking"]["id"]
            self._entries.append(Entry(owner, title, operation.row_id or 0, answer.etag))

    def _cancel(self) -> None:
        if entry := self._pick(cancelled=False):
            # If-Match: what is repeated, or was on its way for long, must not cancel a booking restored meanwhile.
            operation = Operation("cancel", entry.owner.email, entry.title, entry.owner.email)
            answer = self._send(operation, "DELETE", f"/bookings/{entry.row_id}", entry.owner, etag=entry.etag)
            self._remember(entry, operation, answer)

    def _restore(self) -> None:
        if entry := self._pick(cancelled=True):
            operation = Operation("restore", entry.owner.email, entry.title, entry.owner.email, new_key())
            path = f"/bookings/{entry.row_id}/restore"
            answer = self._send(operation, "POST", path, entry.owner, etag=entry.etag)
            self._remember(entry, operation, answer)

    def _invite(self) -> None:
        if self._organization is None:
            self._found()
            return
        owner, name, row_id = self._organization
        strangers = [person.email for person in self._town.people if person.email not in self._invited]
        if not strangers:
            self._organization = None
            return
        email = self._random.choice(strangers)
        self._invited.add(email)
        operation = Operation("invite", owner.email, name, email, new_key())
        self._send(operation, "POST", f"/organizations/{row_id}/members", owner, body={"email": email})

    def _found(self) -> None:
        owner = self._random.choice(self._selves)
        name = f"Club {self._number}-{self._next()}"
        operation = Operation("found", owner.email, name, "", new_key())
        answer = self._send(operation, "POST", "/organizations", owner, body={"name": name})
        if operation.outcome is Outcome.OK:
            self._organization = (owner, name, answer.body["organization"]["id"])
            self._invited = {owner.email}

    def _send(self, operation: Operation, method: str, path: str, person: Person, **options: Any) -> Answer:
        return self.send(operation, method, path, token=person.token, **options)

    def _pick(self, *, cancelled: bool) -> Entry | None:
        entries = [entry for entry in self._entries if entry.is_cancelled is cancelled]
        return self._random.choice(entries) if entries else None

    def _remember(self, entry: Entry, operation: Operation, answer: Answer) -> None:
        """Keep up with a booking; whose state is unknown is left alone from now on."""
        if operation.outcome is Outcome.FAIL:
            return
        if operation.outcome is Outcome.OK and answer.status == 404:
            read = Operation("read", entry.owner.email, entry.title, "")
            answer = self.api.perform(read, "GET", f"/bookings/{entry.row_id}", token=entry.owner.token)
        if operation.outcome is Outcome.OK and answer.etag:
            entry.etag = answer.etag
            entry.is_cancelled = operation.kind == "cancel"
        else:
            self._entries.remove(entry)
