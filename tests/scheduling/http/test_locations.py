"""Where what was created is."""

import pytest

from tests.people import time_on
from tests.scheduling.answers import NOWHERE

CREATE = {
    "register": lambda people, _: people.alice.post(
        "/auth/register", {"name": "Dora", "email": "dora@example.com", "password": "correct horse"}
    ),
    "booking": lambda people, _: people.alice.book(),
    "schedule": lambda people, _: people.alice.post("/schedules", {"name": "Office", "time_zone": "UTC", "rules": []}),
    "event type": lambda people, _: people.alice.post("/event-types", {"title": "Talk", "duration_minutes": 30}),
    "organization": lambda people, _: people.alice.post("/organizations", {"name": "Acme"}),
    "member": lambda people, _: people.alice.post(
        f"/organizations/{people.alice.organization()}/members", {"email": people.bob.email}
    ),
    "event": lambda people, _: people.alice.post("/analytics/event", {"eventType": "click"}),
    "hold": lambda people, client: client.post(
        f"/event-types/{people.alice.event_type_uid()}/holds", {"start": time_on(2).isoformat()}
    ),
    "guest's booking": lambda people, client: client.post(
        f"/event-types/{people.alice.event_type_uid()}/bookings",
        {"start": time_on(2).isoformat(), "name": "Gail", "email": "gail@example.com", "time_zone": "UTC"},
    ),
}


@pytest.mark.parametrize("what", CREATE)
def test_what_was_created_is_where_the_answer_says(people, client, what):
    answer = CREATE[what](people, client)
    assert answer.status_code == 201, answer.text
    location = answer.headers["Location"]
    assert location.startswith("/api/v1/")
    assert str(NOWHERE) not in location
    token = answer.json.get("manage_token", people.alice.token)
    reader = people.admin if what == "event" else client.with_token(token)
    # A hold and a membership can only be taken back.
    method = "DELETE" if what in ("hold", "member") else "GET"
    found = reader.http.open(location, method=method, headers={"Authorization": f"Bearer {reader.token}"})
    assert found.status_code == 200, found.text


@pytest.mark.parametrize(
    ("what", "row", "name"),
    [("booking", "booking", "id"), ("schedule", "schedule", "id"), ("event type", "event_type", "uid")],
)
def test_location_names_the_row(people, client, what, row, name):
    answer = CREATE[what](people, client)
    assert answer.headers["Location"].rpartition("/")[2] == str(answer.json[row][name])


def test_slash_at_the_end_of_the_path_does_not_reach_the_location(people):
    answer = people.alice.post("/organizations/", {"name": "Acme"})
    assert answer.headers["Location"] == f"/api/v1/organizations/{answer.json['organization']['id']}"
