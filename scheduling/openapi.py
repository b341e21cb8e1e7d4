"""The OpenAPI document: what the decorators of a route say, and what every route of its kind may answer."""

import re
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from flask import Flask
from flask_smorest import Api

from scheduling.access import Access, access_of
from scheduling.idempotency import is_idempotent
from scheduling.schemas.common import ProblemOut
from scheduling.schemas.fields import Instant, JsonObject, Number, StrictBoolean

_EXTENSION = "scheduling_openapi"
# What has a version has an ETag.
_VERSIONED = (
    "/bookings/<id:booking_id>",
    "/schedules/<id:schedule_id>",
    "/event-types/<uid:event_type_uid>",
    "/guest/bookings/<uid:booking_uid>",
)
_ID = {"type": "integer", "format": "int64", "minimum": 1, "maximum": 2**63 - 1}

_SECURITY: dict[Access | None, list[dict[str, list[str]]]] = {
    Access.AUTHENTICATED: [{"bearer": []}],
    Access.ADMIN: [{"bearer": []}],
    Access.GUEST: [{"manage_token": []}],
    Access.OPTIONAL: [{}, {"bearer": []}],
}
_REFUSED_BY_ACCESS: dict[Access | None, set[str]] = {
    Access.AUTHENTICATED: {"401"},
    Access.GUEST: {"401"},
    Access.ADMIN: {"401", "403"},
}

_REFUSALS = {
    "400": "Invalid input",
    "401": "Missing or invalid token",
    "403": "The role does not suffice",
    "404": "Not there, or not yours",
    "409": "In conflict with the current state",
    "412": "If-Match names another version",
    "413": "The body is larger than 64 KiB",
    "415": "The body is not JSON",
    "429": "Too many requests; Retry-After says when to come back",
    "422": "The Idempotency-Key was used for another request",
    "503": "PostgreSQL is away; try again",
}


def make_api(app: Flask) -> Api:
    """Return flask-smorest's registry of documented blueprints."""
    app.config.update(
        API_TITLE="Scheduling API",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        API_SPEC_OPTIONS={
            "info": {
                "description": "Bookings, organizations, notifications and analytics. Every refusal is a problem "
                "document (RFC 9457) with a stable `code`."
            },
            "components": {
                "securitySchemes": {
                    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                    "manage_token": {"type": "http", "scheme": "bearer", "bearerFormat": "manage_token of a booking"},
                }
            },
        },
    )
    api = Api(app)
    api.DEFAULT_ERROR_RESPONSE_NAME = None
    for field, kind, form in (
        (Instant, "string", "date-time"),
        (StrictBoolean, "boolean", None),
        (Number, "integer", None),
        (JsonObject, "object", None),
    ):
        api.register_field(field, kind, form)
    api.spec.components.schema("Problem", schema=ProblemOut)
    app.extensions[_EXTENSION] = api
    return api


def document(app: Flask) -> dict[str, Any]:
    """Return the document, completed with what each route may answer."""
    completed: dict[str, Any] = deepcopy(app.extensions[_EXTENSION].spec.to_dict())
    for unused in ("Error", "PaginationMetadata"):
        completed["components"]["schemas"].pop(unused, None)
    completed["components"].pop("responses", None)
    for rule in app.url_map.iter_rules():
        path = completed["paths"].get(_openapi_path(rule.rule))
        for method in (rule.methods or set()) & {"GET", "POST", "PATCH", "DELETE"}:
            if path is not None and method.lower() in path:
                _complete(path[method.lower()], method, rule.rule, app.view_functions[rule.endpoint])
    return completed


def _openapi_path(rule: str) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)


def _complete(operation: dict[str, Any], method: str, rule: str, view: Callable[..., Any]) -> None:
    access = access_of(view)
    refusals = {"400", "413", "429", "503"}
    headers = _headers(method, rule, view)
    if headers:
        operation.setdefault("parameters", []).extend(headers)
    if access in _SECURITY:
        operation["security"] = _SECURITY[access]
    refusals |= _REFUSED_BY_ACCESS.get(access, set())
    if "requestBody" in operation:
        refusals.add("415")
    if "<id:" in rule or "<uid:" in rule:
        refusals.add("404")
    if is_idempotent(view):
        refusals |= {"409", "422"}
    refusals |= _of_area(method, rule)
    for status in sorted(refusals):
        if "content" in operation["responses"].get(status, {}):
            continue
        operation["responses"][status] = {
            "description": _REFUSALS[status],
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }


def _headers(method: str, rule: str, view: Callable[..., Any]) -> list[dict[str, Any]]:
    """Return the headers that a route listens to."""
    headers = {}
    if is_idempotent(view):
        headers["Idempotency-Key"] = "Makes the write repeatable for 24 hours: 1 to 255 visible ASCII characters"
    if _is_versioned(rule) and method != "GET":
        headers["If-Match"] = "Refuse with 412 unless it still has this ETag"
    if _is_versioned(rule) and method == "GET":
        headers["If-None-Match"] = "Answer 304 when it still has this ETag"
    return [
        {"in": "header", "name": name, "required": False, "description": why, "schema": {"type": "string"}}
        for name, why in headers.items()
    ]


def _of_area(method: str, rule: str) -> set[str]:
    """Return the refusals that come from a rule of the area."""
    if rule.endswith(("/auth/login", "/metrics")):
        return {"401"}
    if method == "GET":
        return {"403"} if rule.endswith("/explain") else set()
    refusals = set()
    if rule.endswith(("/availability/find", "/holds")):
        refusals.add("404")
    if rule.endswith(("_uid>/holds", "_uid>/bookings")) or "/guest/" in rule:
        refusals.add("409")
    if rule.endswith("/event-types"):
        refusals |= {"403", "404"}
    if "/organizations/<id:" in rule or rule.endswith("/event-types/<uid:event_type_uid>"):
        refusals.add("403")
    if _is_versioned(rule):
        refusals.add("412")
    if rule.endswith("/bookings") or ("/bookings/<id:" in rule and method != "DELETE"):
        refusals.add("409")
    return refusals


def _is_versioned(rule: str) -> bool:
    """Tell whether a path leads to something that has an ETag."""
    return rule.removesuffix("/restore").endswith(_VERSIONED)
