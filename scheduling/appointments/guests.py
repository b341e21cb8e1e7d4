"""What a guest sees of a booking, and which address their request names."""

from typing import Any

from flask import request
from marshmallow import ValidationError

from scheduling.http.json_body import read_json
from scheduling.schemas.fields import Email
from sql.queries import Row

_SHOWN = (
    *("uid", "event_type_uid", "title", "start_time", "end_time", "status", "guest", "version", "created_at"),
    "updated_at",
)
_EMAIL = Email()


def for_guest(booking: Row) -> dict[str, Any]:
    """Return a booking without what is the host's."""
    return {name: booking[name] for name in _SHOWN}


def guest_address() -> str | None:
    """Return the address of the guest whom the body names, None when it names nobody."""
    body = read_json(request)
    try:
        return str(_EMAIL.deserialize(body.get("email") if isinstance(body, dict) else None))
    except ValidationError:
        return None
