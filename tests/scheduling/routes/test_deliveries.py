"""What a person and an operator see of the e-mails."""

from dataclasses import replace

import pytest

from scheduling.app import create_app
from tests.client import Client, ConformingClient
from tests.scheduling.answers import rows


def test_deliveries_of_a_booking_are_listed_oldest_first(people):
    booking = people.alice.booking()
    people.alice.delete(f"/bookings/{booking['id']}")
    deliveries = people.alice.get(f"/bookings/{booking['id']}/deliveries").json
    assert [delivery["kind"] for delivery in deliveries] == ["BOOKING_CONFIRMATION", "BOOKING_CANCELLED"]
    assert {delivery["status"] for delivery in deliveries} == {"pending"}
    assert {delivery["recipient"] for delivery in deliveries} == {people.alice.email}


def test_delivery_says_why_it_failed(people, database):
    booking = people.alice.booking()
    rows(
        database,
        "UPDATE emails SET status = 'dead', attempts = 3, last_error = 'No such mailbox.' WHERE booking_id > 0",
    )
    (delivery,) = people.alice.get(f"/bookings/{booking['id']}/deliveries").json
    assert (delivery["status"], delivery["attempts"], delivery["last_error"]) == ("dead", 3, "No such mailbox.")
    assert delivery["next_attempt_at"] is None
    assert delivery["sent_at"] is None


def test_deliveries_of_others_are_not_there(people):
    booking = people.alice.booking()
    assert people.carol.get(f"/bookings/{booking['id']}/deliveries").status_code == 404
    assert people.alice.get("/bookings/999999/deliveries").status_code == 404


@pytest.mark.parametrize("path", ["//metrics", "//health/ready"])
def test_numbers_of_the_outbox_are_told(people, client, database, path):
    people.alice.booking()
    rows(database, "UPDATE emails SET status = 'dead' WHERE kind = 'WELCOME'")
    rows(database, "INSERT INTO email_outcomes VALUES ('sent', 7)")
    answer = client.get(path)
    if path == "//metrics":
        assert "scheduling_emails_pending 1.0" in answer.text
        assert "scheduling_emails_dead 1.0" in answer.text
        assert 'scheduling_emails_class_pending{class="booking"} 1.0' in answer.text
        assert 'scheduling_emails_class_pending{class="bulk"} 0.0' in answer.text
        assert 'scheduling_emails_class_oldest_pending_seconds{class="account"} 0.0' in answer.text
        assert 'scheduling_email_attempts_total{outcome="sent"} 7.0' in answer.text
    else:
        assert (answer.json["outbox"]["pending"], answer.json["outbox"]["dead"]) == (1, 1)


def test_metrics_are_for_who_bears_the_token_when_there_is_one(settings, database):
    app = create_app(replace(settings, metrics_token="only for prometheus"))
    app.test_client_class = ConformingClient
    client = Client(app.test_client())
    assert client.get("//metrics").status_code == 401
    assert client.with_token("another").get("//metrics").status_code == 401
    assert client.with_token("only for prometheus").get("//metrics").status_code == 200
    assert client.get("//metrics", headers={"Authorization": "bearer only for prometheus"}).status_code == 200
