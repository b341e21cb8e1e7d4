"""Retry-safe writes: one effect and one answer for a key, however often it is sent."""

import pytest

from tests.people import time_on
from tests.scheduling.answers import assert_refused, nothing_written, rows

KEY = {"Idempotency-Key": "one"}


def count(database, table):
    return rows(database, f"SELECT count(*) FROM {table}")[0]["count"]


def body(title="Standup", **more):
    return {"title": title, "start": time_on(1, 9).isoformat(), "end": time_on(1, 10).isoformat()} | more


def test_repetition_has_one_effect_and_the_same_answer(people, database):
    first = people.alice.post("/bookings", body(), headers=KEY)
    again = people.alice.post("/bookings", body(), headers=KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.data == first.data
    assert again.headers["ETag"] == first.headers["ETag"]
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert count(database, "bookings") == count(database, "notifications") == 1


def test_body_is_compared_as_json_and_not_as_bytes(people):
    people.alice.post("/bookings", body(), headers=KEY)
    turned = dict(reversed(body().items()))
    assert people.alice.post("/bookings", turned, headers=KEY).headers["Idempotency-Replayed"] == "true"


def test_number_is_the_same_however_it_is_written(people, database):
    written = ('{"eventType": "x", "metadata": {"n": [%s]}}' % number for number in ("1", "1.0", "10e-1"))  # noqa: UP031
    answers = [
        people.alice.post("/analytics/event", data=body, content_type="application/json", headers=KEY)
        for body in written
    ]
    assert [answer.status_code for answer in answers] == [201] * 3
    assert count(database, "analytics_events") == 1
    other = {"eventType": "x", "metadata": {"n": [1.5]}}
    assert people.alice.post("/analytics/event", other, headers=KEY).status_code == 422


@pytest.mark.parametrize(
    ("path", "other"), [("/bookings", body("Another")), ("/organizations", {"name": "Acme"})], ids=["body", "route"]
)
def test_same_key_for_another_request_is_refused(people, database, path, other):
    people.alice.post("/bookings", body(), headers=KEY)
    answer = people.alice.post(path, other, headers=KEY)
    assert (answer.status_code, answer.json["code"]) == (422, "idempotency_mismatch")
    assert count(database, "bookings") == 1
    assert count(database, "organizations") == 0


def test_refusal_leaves_the_key_free(people, database):
    taken = people.alice.booking(day=1, hour=9)
    refused = people.alice.post("/bookings", body(exclusive=True), headers=KEY)
    assert refused.status_code == 409
    people.alice.delete(f"/bookings/{taken['id']}")
    answer = people.alice.post("/bookings", body(exclusive=True), headers=KEY)
    assert answer.status_code == 201
    assert "Idempotency-Replayed" not in answer.headers


def test_revoked_token_writes_nothing_under_a_key(people, database):
    assert people.alice.post("/auth/revoke").status_code == 200
    with nothing_written(database):
        answer = people.alice.post("/bookings", body(), headers=KEY)
        assert (answer.status_code, answer.json["code"]) == (401, "token_invalid")


def test_keys_belong_to_the_user(people, database):
    people.alice.post("/bookings", body(), headers=KEY)
    answer = people.bob.post("/bookings", body(), headers=KEY)
    assert answer.json["booking"]["user_id"] == people.bob.id
    assert count(database, "bookings") == 2


def test_key_is_free_again_after_a_day(people, database):
    people.alice.post("/bookings", body(), headers=KEY)
    rows(database, "UPDATE idempotency_keys SET created_at = created_at - interval '24 hours'")
    assert people.alice.post("/bookings", body("Another"), headers=KEY).status_code == 201
    assert count(database, "bookings") == 2


@pytest.mark.parametrize("key", ["", " ", "a b", "a\tb", "é", "x" * 256])
def test_malformed_key_is_refused(people, database, key):
    answer = people.alice.post("/bookings", body(), headers={"Idempotency-Key": key})
    assert_refused(answer, 400, "validation_error", "Idempotency-Key:")
    assert count(database, "bookings") == 0


def test_longest_key_counts(people):
    longest = {"Idempotency-Key": "~" * 255}
    people.alice.post("/bookings", body(), headers=longest)
    assert people.alice.post("/bookings", body(), headers=longest).headers["Idempotency-Replayed"] == "true"


def test_invitation_is_sent_once(people, database):
    organization_id = people.alice.organization()
    answers = [
        people.alice.post(f"/organizations/{organization_id}/members", {"email": people.bob.email}, headers=KEY)
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert rows(database, "SELECT count(*) FROM emails WHERE kind = 'ORG_INVITE'")[0]["count"] == 1


def test_restored_booking_is_confirmed_once(people, database):
    booking = people.alice.booking()
    people.alice.delete(f"/bookings/{booking['id']}")
    answers = [people.alice.post(f"/bookings/{booking['id']}/restore", headers=KEY) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert rows(database, "SELECT count(*) FROM emails WHERE kind = 'BOOKING_CONFIRMATION'")[0]["count"] == 2


def test_key_that_another_request_holds_is_answered_with_when_to_repeat(people, database, connection):
    user_id = people.alice.id
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtextextended('one', %s))", (user_id,))
        try:
            answer = people.alice.post("/bookings", body(), headers=KEY)
        finally:
            cursor.execute("SELECT pg_advisory_unlock_all()")
    assert (answer.status_code, answer.json["code"]) == (409, "idempotency_in_progress")
    assert answer.headers["Retry-After"] == "1"
    assert people.alice.post("/bookings", body(), headers=KEY).status_code == 201
