"""Complete an operation of the document with what its route declares, and with what all such routes have in common."""

import inspect
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from scheduling.openapi.examples import problem_example
from scheduling.policies.access import Access, access_of
from scheduling.policies.declarations import Declared, declared
from scheduling.policies.idempotency import is_idempotent
from scheduling.problems import CODES

View = Callable[..., Any]
Json = dict[str, Any]

SECURITY: dict[Access | None, list[dict[str, list[str]]]] = {
    Access.PUBLIC: [],
    Access.OPTIONAL: [{}, {"bearer": []}],
    Access.GUEST: [{"manage_token": []}],
    Access.AUTHENTICATED: [{"bearer": []}],
    Access.ADMIN: [{"bearer": []}],
}
_REFUSED_BY_ACCESS: dict[Access | None, set[str]] = {
    Access.GUEST: {"unauthorized"},
    Access.AUTHENTICATED: {"unauthorized", "token_invalid"},
    Access.ADMIN: {"unauthorized", "token_invalid", "forbidden"},
}
# Any request can be refused with these before its route runs.
_REFUSED_EVERYWHERE = {
    *("malformed_json", "malformed_request", "payload_too_large", "uri_too_long", "headers_too_large"),
    *("rate_limited", "service_unavailable"),
}
# Refused before the rate limit counts the request.
_NOT_COUNTED = {"413", "414", "431"}
_RATE_LIMIT = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")

_REASONS = {
    400: "Invalid input",
    401: "Missing or invalid token",
    403: "The role does not suffice",
    404: "Not there, or not yours",
    409: "In conflict with the current state",
    412: "If-Match names another version",
    413: "The body is larger than 64 KiB",
    414: "The request line is too long",
    415: "The body is not JSON",
    422: "The Idempotency-Key was used for another request",
    429: "Too many requests; Retry-After says when to come back",
    431: "The header fields are too large",
    503: "PostgreSQL is away; try again",
}


def complete(operation: Json, method: str, view: View, *, limited: bool) -> None:
    """Complete an operation; `limited` when RATE_LIMIT_DEFAULT counts every request."""
    facts, access = declared(view), access_of(view)
    counted = limited or facts.limit is not None
    operation["operationId"] = view.__name__
    operation["description"] = _description(view, facts, method)
    operation["security"] = [] if facts.tokenless else SECURITY[access]
    operation.setdefault("parameters", []).extend(_request_headers(method, view, facts))
    if not operation["parameters"]:
        del operation["parameters"]
    answers = operation["responses"]
    if facts.conditional and method == "GET":
        answers["304"] = {"description": "The client has the latest version"}
    for status, codes in _refusals(operation, view, facts).items():
        if "content" not in answers.get(status, {}):
            answers[status] = _refusal(status, codes)
    paged = any(parameter["name"] == "cursor" for parameter in operation.get("parameters", []))
    for status, answer in answers.items():
        names = [*_answer_headers(status, view, facts, paged=paged), *(_RATE_LIMIT if counted else ())]
        if names and status not in _NOT_COUNTED:
            answer["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    operation["responses"] = dict(sorted(answers.items()))


def _description(view: View, facts: Declared, method: str) -> str:
    """Return the docstring after its first paragraph, and sentences about the policies of the route."""
    access = access_of(view)
    _summary, _, more = (inspect.getdoc(view) or "").partition("\n\n")
    sentences = [" ".join(more.split())] if more else []
    if access is not None:
        sentences.append(f"For {access.value}.")
    if is_idempotent(view):
        sentences.append("Repeatable under an `Idempotency-Key`.")
    if facts.conditional:
        sentences.append("Heeds `If-None-Match`." if method == "GET" else "Heeds `If-Match`.")
    if facts.limit:
        sentences.append(f"Limited by `{facts.limit.upper()}`.")
    return " ".join(sentences)


def _refusals(operation: Json, view: View, facts: Declared) -> dict[str, list[str]]:
    """Return the codes that a route may refuse with, by status, in the order of the table."""
    codes = _REFUSED_EVERYWHERE | _REFUSED_BY_ACCESS.get(access_of(view), set()) | facts.refusals
    if "requestBody" in operation:
        codes |= {"validation_error", "unsupported_media_type"}
    if any(parameter["in"] == "query" for parameter in operation.get("parameters", [])):
        codes.add("validation_error")
    if is_idempotent(view):
        # With a key an invalid token is refused, also where none is needed.
        codes |= {
            "unauthorized",
            "token_invalid",
            "validation_error",
            "idempotency_in_progress",
            "idempotency_mismatch",
        }
    if facts.conditional and any(parameter["name"] == "If-Match" for parameter in operation.get("parameters", [])):
        codes.add("precondition_failed")
    by_status: dict[str, list[str]] = {}
    for code, (status, _) in CODES.items():
        if code in codes:
            by_status.setdefault(str(status), []).append(code)
    return by_status


def _refusal(status: str, codes: Iterable[str]) -> Json:
    return {
        "description": _REASONS[int(status)],
        "content": {
            "application/problem+json": {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {code: {"$ref": f"#/components/examples/{code}"} for code in codes},
            }
        },
    }


def _request_headers(method: str, view: View, facts: Declared) -> list[Json]:
    """Return the request headers that a route supports."""
    headers = {}
    if is_idempotent(view):
        headers["Idempotency-Key"] = "Makes the write repeatable for 24 hours: 1 to 255 visible ASCII characters"
    if facts.conditional and method == "GET":
        headers["If-None-Match"] = "Answer 304 when it still has this ETag"
    if facts.conditional and method != "GET":
        headers["If-Match"] = "Refuse with 412 unless it still has this ETag"
    return [
        {"in": "header", "name": name, "required": False, "description": why, "schema": {"type": "string"}}
        for name, why in headers.items()
    ]


def _answer_headers(status: str, view: View, facts: Declared, *, paged: bool) -> list[str]:
    """Return the names of the headers of an answer."""
    names = []
    if status == "201":
        names.append("Location")
    if facts.etag and status in ("200", "201", "304"):
        names.append("ETag")
    if paged and status == "200":
        names.append("Link")
    if is_idempotent(view) and status in ("200", "201"):
        names.append("Idempotency-Replayed")
    if status == "401":
        names.append("WWW-Authenticate")
    if status in ("429", "503") or (status == "409" and is_idempotent(view)):
        names.append("Retry-After")
    return names


def components() -> Json:
    """Return the components that operations refer to."""
    return {
        "headers": {name: {"description": why, "schema": schema} for name, (why, schema) in _HEADERS.items()},
        "examples": {
            code: {"summary": HTTPStatus(status).phrase, "value": problem_example(code)}
            for code, (status, _) in CODES.items()
            if status in _REASONS
        },
    }


_TEXT, _NUMBER = {"type": "string"}, {"type": "integer", "minimum": 0}
_HEADERS: dict[str, tuple[str, Json]] = {
    "ETag": ("The version of what the answer shows, for If-Match and If-None-Match", _TEXT),
    "Idempotency-Replayed": ("This is the answer of an earlier request", {"type": "string", "enum": ["true"]}),
    "Link": ('The next page, as `<...>; rel="next"` (RFC 8288); absent on the last one', _TEXT),
    "Location": ("The path of what was created", {"type": "string", "format": "uri-reference"}),
    "RateLimit-Limit": ("How many requests a window takes", _NUMBER),
    "RateLimit-Remaining": ("How many are left", _NUMBER),
    "RateLimit-Reset": ("Seconds until there are more", _NUMBER),
    "Retry-After": ("Seconds to wait before the next try", _NUMBER),
    "WWW-Authenticate": ("How to authenticate (RFC 6750)", _TEXT),
}
