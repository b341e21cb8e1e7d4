"""Build examples of bodies from the schema, with a value for each field by its name."""

from http import HTTPStatus
from typing import Any

from scheduling.problems import CODES

_UID, _GUEST_UID = "u3XvNq0Zt1mWcKfYb7eGhA", "Qm4s8LwVdRz2TnPjX6yBkg"
_TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0.c2lnbmF0dXJl"  # noqa: S105  nobody's
_START, _END, _MADE = "2030-04-01T09:00:00Z", "2030-04-01T09:30:00Z", "2030-03-25T14:03:21.123456Z"
_MESSAGES = {
    "SignedInOut": "Login successful",
    "MessageOut": "Deleted successfully",
    "ProfileChangedOut": "Profile updated successfully",
    "PasswordChangedOut": "Password updated successfully",
    "BookingWrittenOut": "Booking created successfully",
    "BookingCancelledOut": "Booking cancelled successfully",
    "ScheduleWrittenOut": "Schedule created successfully",
    "EventTypeWrittenOut": "Event type created successfully",
    "AppointmentMadeOut": "Booking created successfully",
    "AppointmentChangedOut": "Booking updated successfully",
    "OrganizationWrittenOut": "Organization created successfully",
    "MemberAddedOut": "Member added successfully",
    "AllReadOut": "All notifications marked as read",
    "NotificationReadOut": "Notification marked as read",
    "EventLoggedOut": "Event logged successfully",
}

# By the name of a field, or by schema and name where several fields have the same name.
_VALUES: dict[str, Any] = {
    **{f"{schema}.message": message for schema, message in _MESSAGES.items()},
    **dict.fromkeys(("id", "owner_id", "user_id", "schedule_id", "organization_id", "membership_id"), 7),
    **dict.fromkeys(("start", "start_time", "from", "next_attempt_at"), _START),
    **dict.fromkeys(("end", "end_time", "to", "expires_at"), _END),
    **dict.fromkeys(("created_at", "updated_at", "joined_at", "timestamp", "first_event", "last_event"), _MADE),
    **{name: [7] for name in ("hosts", "chosen", "user_ids")},
    **dict.fromkeys(("uid", "event_type_uid"), _UID),
    **dict.fromkeys(("email", "user_email"), "ada@example.com"),
    **dict.fromkeys(("name", "user_name"), "Ada"),
    **dict.fromkeys(("password", "currentPassword"), "correct horse"),
    **dict.fromkeys(("buffer_before_minutes", "buffer_after_minutes"), 10),
    **dict.fromkeys(("duration_minutes", "slot_minutes", "horizon_days"), 30),
    **dict.fromkeys(("is_read", "exclusive"), False),
    **dict.fromkeys(("is_active", "is_default", "valid", "bookable", "passed"), True),
    **dict.fromkeys(("until", "last_error", "notes", "oldest_pending_seconds"), None),
    "newPassword": "battery staple",
    "token": _TOKEN,
    "manage_token": "p0Zx3kq1vYw8rTn5mLc7uHs2bQe9jDf4aGi6oKt_XyU",
    "title": "Team standup",
    "description": "A talk about anything.\nBring your questions.",
    "role": "member",
    "status": "confirmed",
    "version": 1,
    "conflicts": [],
    "time_zone": "Europe/Berlin",
    "date": "2030-04-01",
    "local_start": "2030-04-01T11:00:00+02:00",
    "hold": "b7Kq2VtXw9ZcR4mNyP1sLg",
    "notice_minutes": 120,
    "daily_limit": 8,
    "assignment": "one",
    "mode": "one",
    "PassedOverOut.user_id": 8,
    "days": ["MO", "TU", "WE", "TH", "FR"],
    "reason": "Outside of the hours that can be booked.",
    "attempts": 1,
    "kind": "BOOKING_CONFIRMATION",
    "recipient": "ada@example.com",
    "sent_at": _MADE,
    "unread": 3,
    "updated": 3,
    "count": 42,
    "unique_users": 5,
    "total_events": 42,
    "event_types": 1,
    "event_type": "page_view",
    "eventType": "page_view",
    "metadata": {"page": "/pricing"},
    "period": "Last 30 days",
    "uptime": 86400.5,
    "environment": "production",
    "database": "ok",
    "schema": "ok",
    "redis": "ok",
    "pending": 0,
    "dead": 0,
    "superseded": 0,
    "NotificationOut.type": "BOOKING_CONFIRMED",
    "NotificationOut.title": 'Booking "Team standup" confirmed',
    "NotificationOut.message": "Monday, 1 April 2030, 09:00 to 09:30 UTC",
    "NotificationOut.metadata": {"booking_id": 7},
    "OrganizationIn.name": "Acme",
    "OrganizationOut.name": "Acme",
    "OrganizationWithMembersOut.name": "Acme",
    "ScheduleIn.name": "Office",
    "ScheduleOut.name": "Office",
    "GuestBookingOut.uid": _GUEST_UID,
    "GuestOut.name": "Gail",
    "GuestOut.email": "gail@example.com",
    "AppointmentIn.name": "Gail",
    "AppointmentIn.email": "gail@example.com",
    "MemberIn.email": "bob@example.com",
    "HealthOut.status": "OK",
    "ReadinessOut.status": "ready",
    "DeliveryOut.status": "sent",
    "DeliveryOut.next_attempt_at": None,
    "OutboxStateOut.oldest_pending_seconds": 0.0,
    "RuleOut.code": "outside_hours",
    "RuleOut.detail": "Within the hours that can be booked.",
    "Hours.start": "09:00",
    "Hours.end": "17:00",
    "WeeklyHours.start": "09:00",
    "WeeklyHours.end": "17:00",
    "DateHours.date": "2030-12-24",
}

# Bodies in which every field is optional.
_PARTS: dict[str, Any] = {
    "ProfileIn": {"name": "Ada Lovelace"},
    "BookingChangeIn": {"start": _START, "end": _END},
    "ScheduleChangeIn": {"overrides": [{"date": "2030-12-24", "intervals": []}]},
    "EventTypeChangeIn": {"title": "Half an hour with Ada", "daily_limit": None},
    "CancellationIn": {"reason": "Something came up."},
    "CommonTimesIn": {"organization_id": 7, "duration_minutes": 30, "from": _START, "to": "2030-04-05T17:00:00Z"},
}

_MEMBERS: dict[str, dict[str, Any]] = {
    "validation_error": {"errors": [{"pointer": "/end", "detail": "The end must be after the start."}]},
    "booking_conflict": {"conflicts": [7]},
    "not_bookable": {"rules": [{"code": "notice", "detail": "Too soon."}]},
    "slot_taken": {
        "rules": [{"code": "busy", "detail": "This time is taken."}],
        "slots": [{"start": "2030-04-01T10:00:00Z", "end": "2030-04-01T10:30:00Z"}],
    },
}


def body_example(schema: dict[str, Any], schemas: dict[str, Any], name: str = "") -> Any:
    """Return an example of a schema; of a request body, only the required fields."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _PARTS[name] if name in _PARTS else body_example(schemas[name], schemas, name)
    if "anyOf" in schema:
        return body_example(schema["anyOf"][0], schemas, name)
    if schema["type"] == "array":
        return [body_example(schema["items"], schemas, name)]
    shown = schema["required"] if name.endswith("In") else schema["properties"]
    return {
        field: _value(f"{name}.{field}", inner, schemas)
        for field, inner in schema["properties"].items()
        if field in shown
    }


def problem_example(code: str) -> dict[str, Any]:
    """Return the example of a refusal."""
    status, detail = CODES[code]
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "error": detail,
        "code": code,
        "request_id": "591fdbaef0164553b08e406a45486b9e",
        **_MEMBERS.get(code, {}),
    }


def _value(path: str, schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    name = path.rpartition(".")[2]
    if path in _VALUES:
        return _VALUES[path]
    if "$ref" in schema or "anyOf" in schema or "$ref" in schema.get("items", {}):
        return body_example(schema, schemas, path)
    if name in _VALUES:
        return _VALUES[name]
    for known in ("examples", "enum"):
        if known in schema:
            return schema[known][0]
    schema_name = path.partition(".")[0]
    raise LookupError(
        f'Give {name} of {schema_name} in scheduling/schemas an example: metadata={{"examples": [<a value>]}}'
    )
