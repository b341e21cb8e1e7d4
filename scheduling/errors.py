"""Answer every refusal and every exception with a problem document (RFC 9457)."""

import traceback
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
import psycopg2
import structlog
from flask import Flask, Response, g, request
from psycopg2 import errors as postgres
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from sql.pool import PoolExhausted

log = structlog.get_logger(__name__)

RETRY_AFTER_SECONDS = "2"

# A constraint that a client can violate: status, code and sentence of the refusal.
CONSTRAINTS: dict[str, tuple[int, str, str]] = {
    "users_email_key": (400, "email_taken", "This e-mail address is already registered"),
    "claims_user_id_during_excl": (409, "booking_conflict", "This time is already taken"),
    "appointments_guest_address_event_type_id_start_time_idx": (
        409,
        "already_booked",
        "This guest has booked this time already; the confirmation in their mail says how to manage it",
    ),
    "bookings_event_type_uid_fkey": (404, "not_found", "Event type not found"),
    "appointments_event_type_id_fkey": (404, "not_found", "Event type not found"),
    "holds_event_type_id_fkey": (404, "not_found", "Event type not found"),
    "bookings_interval_check": (400, "validation_error", "The end must be after the start"),
    "bookings_duration_check": (400, "validation_error", "A booking lasts at most 366 days"),
    "bookings_user_id_fkey": (401, "token_invalid", "The user of this token is gone; sign in again"),
    "organization_members_organization_id_fkey": (404, "not_found", "Organization not found"),
    "organization_members_user_id_fkey": (404, "not_found", "User not found"),
    "schedules_user_id_fkey": (401, "token_invalid", "The user of this token is gone; sign in again"),
    "event_types_organization_id_fkey": (404, "not_found", "Organization not found"),
    "event_types_schedule_id_fkey": (404, "not_found", "Schedule not found"),
    "event_type_hosts_user_id_fkey": (404, "not_found", "User not found"),
    "notifications_user_id_fkey": (404, "not_found", "User not found"),
    "revoked_tokens_user_id_fkey": (401, "token_invalid", "The user of this token is gone; sign in again"),
}

# Of every table with an owner: the caller was deleted after the token was checked.
_OWNER_KEY = "_owner_id_fkey"
_OWNER_IS_GONE = (401, "token_invalid", "The user of this token is gone; sign in again")

_CODES = {
    400: "malformed_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    412: "precondition_failed",
    413: "payload_too_large",
    415: "unsupported_media_type",
    429: "rate_limited",
    503: "service_unavailable",
}

_DETAILS = {
    400: "The request is not valid HTTP",
    405: "This route does not support this method",
    413: "The body is larger than 64 KiB",
}


class ApiError(Exception):
    """A refusal: status, machine code and a sentence that says what to do."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        """Take further members of the problem document by name."""
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members | ({"errors": list(errors)} if errors else {})


def not_found(what: str) -> ApiError:
    """Return the refusal for a row that does not exist or is not the caller's; the two look the same."""
    return ApiError(404, "not_found", f"{what} not found")


def changed_meanwhile(what: str) -> ApiError:
    """Return the refusal of a change to an earlier version."""
    return ApiError(412, "precondition_failed", f"The {what} has changed meanwhile; read it again")


def invalid(pointer: str, detail: str) -> ApiError:
    """Return the refusal for one invalid field of the body."""
    return ApiError(400, "validation_error", detail, errors=[{"pointer": pointer, "detail": detail}])


def invalid_parameter(name: str, detail: str) -> ApiError:
    """Return the refusal for one invalid parameter of the query."""
    return ApiError(400, "validation_error", detail, errors=[{"parameter": name, "detail": detail}])


def invalid_header(name: str, detail: str) -> ApiError:
    """Return the refusal for one invalid header."""
    return ApiError(400, "validation_error", detail, errors=[{"header": name, "detail": detail}])


def booking_conflict(conflicts: Sequence[int], *, is_held: bool = False) -> ApiError:
    """Return the refusal for a time that is taken; `conflicts` are the caller's own bookings at that time."""
    held = "This time is held for a guest; take another one, or try again in a few minutes"
    detail = held if is_held else "This time is already taken"
    return ApiError(409, "booking_conflict", detail, conflicts=list(conflicts))


def unavailable() -> ApiError:
    """Return the refusal while PostgreSQL is not available."""
    return ApiError(
        503,
        "service_unavailable",
        "The service is briefly unavailable; try again",
        headers={"Retry-After": RETRY_AFTER_SECONDS},
    )


def too_many(detail: str, *, retry_after: int, headers: Mapping[str, str] | None = None) -> ApiError:
    """Return the refusal of too many requests; `retry_after` is in seconds."""
    return ApiError(429, "rate_limited", detail, headers={"Retry-After": str(retry_after), **(headers or {})})


def problem(error: ApiError) -> Response:
    """Return the answer of a refusal."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": error.detail,
        "error": error.detail,
        "code": error.code,
        "request_id": g.get("request_id"),
        **error.members,
    }
    response = Response(orjson.dumps(document, option=orjson.OPT_UTC_Z), error.status, error.headers)
    response.content_type = "application/problem+json"
    return response


def register_error_handlers(app: Flask) -> None:
    """Answer every exception with a problem document."""
    app.register_error_handler(ApiError, problem)
    app.register_error_handler(HTTPException, _answer_http_error)
    app.register_error_handler(psycopg2.Error, _answer_database_error)
    app.register_error_handler(PoolExhausted, lambda _error: problem(unavailable()))
    app.register_error_handler(Exception, _answer_unexpected_error)


def _answer_http_error(error: HTTPException) -> Response:
    status = error.code or 500
    if isinstance(error, NotFound):
        return problem(ApiError(404, "not_found", "Route not found", path=request.path, method=request.method))
    detail = _DETAILS.get(status, HTTPStatus(status).phrase)
    headers = {}
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return problem(ApiError(status, _CODES.get(status, "error"), detail, headers=headers))


def _answer_database_error(error: psycopg2.Error) -> Response:
    name = error.diag.constraint_name if error.diag else None
    refusal = _refusal_of(name) if isinstance(error, psycopg2.IntegrityError) else None
    if refusal is not None:
        status, code, detail = refusal
        # Somebody took the time between the check and the insert; which booking it is, the error does not say.
        members: dict[str, Any] = {"conflicts": []} if code == "booking_conflict" else {}
        return problem(ApiError(status, code, detail, **members))
    if isinstance(error, psycopg2.DataError):
        log.warning("database_refused_value", sqlstate=error.pgcode)
        return problem(ApiError(400, "validation_error", "A value is outside of what can be stored"))
    if _is_passing(error):
        log.warning("database_unavailable", sqlstate=error.pgcode, error=type(error).__name__)
        return problem(unavailable())
    # The whole message would log the row, with address and password hash.
    log.error(
        "unexpected_error",
        error=type(error).__name__,
        sqlstate=error.pgcode,
        constraint=name,
        reason=error.diag.message_primary if error.diag else type(error).__name__,
        stack="".join(traceback.format_tb(error.__traceback__)),
    )
    return problem(_internal_error())


def _refusal_of(constraint: str | None) -> tuple[int, str, str] | None:
    if constraint is not None and constraint.endswith(_OWNER_KEY):
        return _OWNER_IS_GONE
    return CONSTRAINTS.get(constraint or "")


def _is_passing(error: psycopg2.Error) -> bool:
    """Tell whether an error is a passing state of the server and not a fault of ours."""
    return isinstance(
        error,
        psycopg2.OperationalError  # not reachable, restarting, out of connections or memory, deadlock, timed out
        | psycopg2.InterfaceError
        | postgres.ReadOnlySqlTransaction
        | postgres.UndefinedTable  # not migrated yet
        | postgres.UndefinedColumn,
    )


def _answer_unexpected_error(error: Exception) -> Response:
    log.error("unexpected_error", exc_info=error)
    return problem(_internal_error())


def _internal_error() -> ApiError:
    return ApiError(500, "internal_error", "Something went wrong on our side; the request id helps us find it")
