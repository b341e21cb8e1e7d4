"""What a guest sees of a booking, and what shows that it is theirs."""

from typing import Any

from flask import request

from scheduling.errors import ApiError
from sql.queries import Row

_SHOWN = (
    *("uid", "event_type_uid", "title", "start_time", "end_time", "status", "guest", "version", "created_at"),
    "updated_at",
)


def for_guest(booking: Row) -> dict[str, Any]:
    """Return a booking without what is the host's."""
    return {name: booking[name] for name in _SHOWN}


def manage_token() -> str:
    """Return the token of a guest's request, from its header only; raise ApiError 401 when there is none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    given = token.strip() if scheme.lower() == "bearer" else ""
    if not given:
        raise ApiError(
            401,
            "unauthorized",
            "Send the manage_token of the booking as `Authorization: Bearer <token>`; "
            "never in the address, which proxies write into their logs",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return given
