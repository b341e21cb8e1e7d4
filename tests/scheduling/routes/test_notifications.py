"""Read notifications, mark them, delete them."""

import pytest

from tests.scheduling.answers import NOWHERE, assert_refused, nothing_written, rows, without_request_id

NOTIFICATION = {"id", "user_id", "type", "title", "message", "is_read", "metadata", "created_at"}


def told(person, *titles):
    """Book, so that somebody is told; return the ids of the notifications, newest first."""
    for day, title in enumerate(titles, start=1):
        person.booking(title, day=day)
    return listed(person)


def listed(person, path=""):
    answer = person.get(f"/notifications{path}")
    assert answer.status_code == 200, answer.text
    return [notification["id"] for notification in answer.json]


def read(person, notification):
    return person.patch(f"/notifications/{notification}/read")


def test_notification_has_the_shape_of_the_contract(people):
    booking = people.alice.booking("Standup")
    (notification,) = people.alice.get("/notifications").json
    assert notification.keys() == NOTIFICATION
    assert {name: notification[name] for name in NOTIFICATION - {"id", "message", "created_at"}} == {
        "user_id": people.alice.id,
        "type": "BOOKING_CONFIRMED",
        "title": 'Booking "Standup" confirmed',
        "is_read": False,
        "metadata": {"booking_id": booking["id"]},
    }
    assert notification["created_at"].endswith("Z")
    assert "Standup" in notification["message"]


def test_list_holds_unread_first_then_newest(people):
    fourth, third, second, first = told(people.alice, "1", "2", "3", "4")
    assert first < second < third < fourth
    read(people.alice, fourth)
    read(people.alice, second)
    assert listed(people.alice) == [third, first, fourth, second]


def test_unread_list_holds_what_is_unread(people):
    third, second, first = told(people.alice, "1", "2", "3")
    read(people.alice, second)
    answer = people.alice.get("/notifications/unread")
    assert [notification["id"] for notification in answer.json] == [third, first]
    assert all(notification.keys() == NOTIFICATION for notification in answer.json)


def test_count_counts_what_is_unread(people):
    assert people.alice.get("/notifications/count").json == {"unread": 0}
    first, _ = told(people.alice, "1", "2")
    assert people.alice.get("/notifications/count").json == {"unread": 2}
    read(people.alice, first)
    assert people.alice.get("/notifications/count").json == {"unread": 1}


def test_everybody_sees_their_own_only(people):
    told(people.alice, "1")
    for path in ("", "/unread"):
        assert listed(people.carol, path) == []
    assert people.carol.get("/notifications/count").json == {"unread": 0}


def test_notification_is_read_and_stays_read(people):
    (notification,) = told(people.alice, "1")
    before = people.alice.get("/notifications").json[0]
    for _ in range(2):
        answer = read(people.alice, notification)
        assert answer.status_code == 200
        assert answer.json.keys() == {"message", "notification"}
        assert answer.json["notification"] == before | {"is_read": True}
    assert people.alice.get("/notifications").json == [before | {"is_read": True}]


def test_reading_all_tells_how_many_were_unread(people):
    first, *_ = told(people.alice, "1", "2", "3")
    told(people.bob, "1")
    read(people.alice, first)
    for updated in (2, 0):
        answer = people.alice.patch("/notifications/read-all")
        assert answer.status_code == 200
        assert answer.json.keys() == {"message", "updated"}
        assert answer.json["updated"] == updated
    assert people.alice.get("/notifications/count").json == {"unread": 0}
    assert people.bob.get("/notifications/count").json == {"unread": 1}


def test_notification_is_deleted(people):
    second, first = told(people.alice, "1", "2")
    answer = people.alice.delete(f"/notifications/{second}")
    assert (answer.status_code, answer.json.keys()) == (200, {"message"})
    assert listed(people.alice) == [first]
    assert_refused(people.alice.delete(f"/notifications/{second}"), 404, "not_found")
    assert_refused(read(people.alice, second), 404, "not_found")


@pytest.mark.parametrize(("method", "path"), [("PATCH", "/read"), ("DELETE", "")])
def test_notification_of_somebody_else_is_not_there(people, database, method, path):
    (notification,) = told(people.alice, "1")
    carol = people.carol
    with nothing_written(database):
        foreign = carol.send(method, f"/notifications/{notification}{path}")
        absent = carol.send(method, f"/notifications/{NOWHERE}{path}")
    assert_refused(foreign, 404, "not_found")
    assert without_request_id(foreign) == without_request_id(absent)
    assert len(foreign.data) == len(absent.data)


@pytest.mark.parametrize("unknown", ["0", "x", "-1", "1.0", str(2**63)])
@pytest.mark.parametrize(("method", "path"), [("PATCH", "/read"), ("DELETE", "")])
def test_what_cannot_be_an_id_is_not_there(people, method, path, unknown):
    assert_refused(people.alice.send(method, f"/notifications/{unknown}{path}"), 404, "not_found")


def test_body_cannot_undo_the_reading(people, database):
    (notification,) = told(people.alice, "1")
    body = {"is_read": False, "title": "x", "user_id": people.bob.id}
    answer = people.alice.patch(f"/notifications/{notification}/read", body)
    assert answer.json["notification"]["is_read"] is True
    assert rows(database, "SELECT user_id FROM notifications") == [{"user_id": people.alice.id}]


@pytest.mark.parametrize("path", ["", "/unread"])
def test_lists_refuse_a_limit_that_is_none(people, path):
    assert_refused(people.alice.get(f"/notifications{path}?limit=x"), 400, "validation_error", "?limit")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/unread"),
        ("GET", "/count"),
        ("PATCH", "/read-all"),
        ("PATCH", "/1/read"),
        ("DELETE", "/1"),
    ],
)
def test_token_is_required(client, method, path):
    assert_refused(client.send(method, f"/notifications{path}"), 401, "unauthorized")
