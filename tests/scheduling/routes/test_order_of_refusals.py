"""The order of refusals: 413, 401, 415, 400, 404, 412, 409."""

import pytest

from tests.scheduling.answers import NOWHERE, assert_refused
from tests.scheduling.diary import YESTERDAY, at, cancelled, move_to_the_past

TOO_LARGE = {"data": b'{"title": "' + b"x" * 65_536 + b'"}', "content_type": "application/json"}
TEXT = {"data": b"title=x", "content_type": "text/plain"}
MALFORMED = {"data": b"{", "content_type": "application/json"}
ENCODING = {"headers": {"Content-Encoding": "gzip"}}
ENCODED = MALFORMED | ENCODING
STALE = {"If-Match": '"0-0"'}


def test_too_large_is_said_before_the_token_is_looked_at(client):
    assert_refused(client.patch("/bookings/1", **TOO_LARGE), 413, "payload_too_large")


@pytest.mark.parametrize("request_body", [TEXT, MALFORMED, ENCODED])
def test_missing_token_is_said_before_the_body_is_looked_at(client, request_body):
    assert_refused(client.patch("/bookings/1", **request_body), 401, "unauthorized")


def test_too_large_is_said_before_the_coding_is_looked_at(people):
    assert_refused(people.alice.patch("/bookings/1", **TOO_LARGE | ENCODING), 413, "payload_too_large")


@pytest.mark.parametrize("request_body", [TEXT, ENCODED])
def test_media_type_is_said_before_the_booking_is_looked_for(people, request_body):
    assert_refused(people.alice.patch(f"/bookings/{NOWHERE}", **request_body), 415, "unsupported_media_type")


@pytest.mark.parametrize("body", [{}, {"start": (YESTERDAY, 9)}, {"title": ""}])
def test_invalid_body_is_said_before_the_booking_is_looked_for(people, body):
    answer = people.alice.patch(f"/bookings/{NOWHERE}", at(body), headers=STALE)
    assert (answer.status_code, answer.json["code"]) == (400, "validation_error")


def test_invalid_merge_is_said_before_the_precondition(people):
    booking = cancelled(people.alice)
    changes = {"end": booking["start_time"]}
    answer = people.alice.patch(f"/bookings/{booking['id']}", changes, headers=STALE)
    assert_refused(answer, 400, "validation_error", "/end")


def test_absence_is_said_before_the_precondition(people):
    assert_refused(people.alice.patch(f"/bookings/{NOWHERE}", {"title": "x"}, headers=STALE), 404, "not_found")


def test_precondition_is_said_before_the_state(people):
    booking = cancelled(people.alice, exclusive=True)
    people.alice.booking(exclusive=True)
    path = f"/bookings/{booking['id']}"
    assert_refused(people.alice.patch(path, {"title": "x"}, headers=STALE), 412, "precondition_failed")
    assert_refused(people.alice.post(f"{path}/restore", headers=STALE), 412, "precondition_failed")


def test_past_is_said_before_the_state_when_restoring(people, database):
    booking = cancelled(people.alice, exclusive=True)
    move_to_the_past(database, booking)
    answer = people.alice.post(f"/bookings/{booking['id']}/restore", headers=STALE)
    assert_refused(answer, 400, "validation_error")
