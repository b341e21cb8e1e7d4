"""Event types through which guests book: of one host, of any host of a team, and of the whole team."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.chaos.api import Answer, Api
from scripts.chaos.history import Operation, Outcome
from scripts.chaos.load import Person
from scripts.chaos.visitor import new_key
from scripts.stack.errors import StackError

HOSTS = 3
MODES = ("one", "any", "all")
# Of these links of a team some keep time free around their meetings.
BUFFERS = {"one": 0, "any": 10, "all": 0}
EVERY_HOUR = {"days": ["MO", "TU", "WE", "TH", "FR", "SA", "SU"], "start": "00:00", "end": "24:00"}


@dataclass(frozen=True, slots=True)
class Link:
    """An event type that is shared with guests."""

    uid: str
    assignment: str


def open_links(api: Api, name: str, hosts: Sequence[Person]) -> list[Link]:
    """Let the hosts be booked: the first one alone, and all of them as a team; nothing may be broken meanwhile."""
    owner = hosts[0]

    def create(kind: str, path: str, body: Mapping[str, object], marker: str = "", recipient: str = "") -> Answer:
        operation = Operation(kind, owner.email, marker or name, recipient, new_key())
        answer = api.perform(operation, "POST", path, token=owner.token, body=body)
        if operation.outcome is not Outcome.OK:
            raise StackError(f"the {kind} of {name} failed: {answer.status} {answer.code}")
        return answer

    team: dict[str, Any] = create("found", "/organizations", {"name": name}).body["organization"]
    members = [
        create("invite", f"/organizations/{team['id']}/members", {"email": host.email}, recipient=host.email)
        for host in hosts[1:]
    ]
    ids = [team["owner_id"], *(answer.body["member"]["user_id"] for answer in members)]
    rules = {"name": "Always", "time_zone": "UTC", "rules": [EVERY_HOUR]}
    schedule = create("schedule", "/schedules", rules).body["schedule"]
    links = []
    for mode in MODES:
        alone = mode == "one"
        body = {
            "title": f"Meeting {name} {mode}",
            "duration_minutes": 30,
            "buffer_after_minutes": BUFFERS[mode],
            "schedule_id": schedule["id"],
            "assignment": mode,
            "hosts": ids[:1] if alone else ids,
        }
        more = {} if alone else {"organization_id": team["id"]}
        links.append(Link(create("event type", "/event-types", body | more).body["event_type"]["uid"], mode))
    return links
