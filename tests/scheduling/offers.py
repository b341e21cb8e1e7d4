"""Words for tests of event types."""

PUBLIC = {"uid", "title", "description", "duration_minutes"}
EVENT_TYPE = PUBLIC | {
    "id",
    "owner_id",
    "organization_id",
    "slot_minutes",
    "buffer_before_minutes",
    "buffer_after_minutes",
    "notice_minutes",
    "horizon_days",
    "daily_limit",
    "schedule_id",
    "hosts",
    "assignment",
    "is_active",
    "version",
    "created_at",
    "updated_at",
}
UNKNOWN = "A" * 22


def talk(**more):
    return {"title": "Talk", "duration_minutes": 30} | more


def path_of(event_type):
    return f"/event-types/{event_type['uid']}"


def uids(answer):
    assert answer.status_code == 200, answer.text
    return [event_type["uid"] for event_type in answer.json]
