"""Of a large organization everybody is counted, or the limit is named."""

import pytest

from tests.people import time_on
from tests.scheduling.answers import assert_refused, rows
from tests.scheduling.appointments.guests import text

MEMBERS = """
WITH person AS (
    INSERT INTO users (name, email, password_hash)
    SELECT 'Member', 'member' || number || '@example.com', '' FROM generate_series(1, %s) AS number
    RETURNING id
)
INSERT INTO organization_members (organization_id, user_id) SELECT %s, id FROM person
"""
BODY = {"duration_minutes": 60, "from": text(time_on(3, 9)), "to": text(time_on(3, 14)), "time_zone": "UTC"}


@pytest.fixture
def crowd(people, database):
    """Return a function that makes an organization of so many people."""

    def gather(number):
        organization_id = people.alice.organization("Acme")
        rows(database, MEMBERS, number - 1, organization_id)
        return organization_id

    return gather


def test_as_many_as_are_counted_are_found(people, crowd):
    body = BODY | {"organization_id": crowd(200)}
    found = people.alice.post("/availability/find", body | {"quorum": 200})
    assert found.status_code == 200, found.text
    assert {len(time["user_ids"]) for time in found.json["times"]} <= {200}
    assert_refused(people.alice.post("/availability/find", body | {"quorum": 201}), 400, "validation_error", "/quorum")


def test_more_than_are_counted_are_refused_by_name(people, crowd):
    organization_id = crowd(201)
    answer = people.alice.post("/availability/find", BODY | {"organization_id": organization_id})
    assert_refused(answer, 400, "too_many_members", "/organization_id")
    assert "more than 200 members" in answer.json["detail"]
    some = {"organization_id": organization_id, "user_ids": [people.alice.id]}
    assert people.alice.post("/availability/find", BODY | some).status_code == 200


def test_organization_is_shown_with_all_its_members(people, crowd):
    organization = people.alice.get(f"/organizations/{crowd(501)}").json
    assert len({member["user_id"] for member in organization["members"]}) == 501


def test_sentence_of_a_refusal_says_how_many_more_faults_there_are(people):
    many = {"title": 1, "duration_minutes": 0, "slot_minutes": 0, "hosts": 1, "daily_limit": 0}
    answer = people.alice.post("/event-types", many)
    assert len(answer.json["errors"]) == 5
    assert answer.json["detail"].endswith("; and 2 more in errors")
