"""Words for tests of bookings."""

from datetime import UTC, datetime, timedelta

from tests.people import time_on
from tests.scheduling.answers import rows

BOOKING = {
    *("uid", "event_type_uid", "guest", "hosts", "assignment"),
    "id",
    "user_id",
    "title",
    "start_time",
    "end_time",
    "status",
    "exclusive",
    "version",
    "created_at",
    "updated_at",
}
YESTERDAY = -1


def as_text(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def at(changes):
    """Turn each day and hour into a time: a table of tests is made once, the days go on."""
    return {name: as_text(time_on(*value)) if isinstance(value, tuple) else value for name, value in changes.items()}


def slot(day=1, hour=9, hours=1, **more):
    start = time_on(day, hour)
    return {"title": "Standup", "start": as_text(start), "end": as_text(start + timedelta(hours=hours))} | more


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [booking["id"] for booking in answer.json]


def cancelled(person, **options):
    booking = person.booking(**options)
    answer = person.delete(f"/bookings/{booking['id']}")
    assert answer.status_code == 200, answer.text
    return answer.json["booking"]


def move_to_the_past(database, booking, *, hours=1):
    """Let a booking have begun an hour ago, as time would."""
    start = datetime.now(UTC) - timedelta(hours=1)
    end = start + timedelta(hours=hours)
    rows(database, "UPDATE bookings SET start_time = %s, end_time = %s WHERE id = %s", start, end, booking["id"])


def etag_of(person, booking):
    return person.get(f"/bookings/{booking['id']}").headers["ETag"]
