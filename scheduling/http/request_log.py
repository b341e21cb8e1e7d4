"""Give every request an id, and log it in one line."""

import random
import re
import time
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from flask import Flask, Response, g, has_request_context, request

from jobs.logs import write_soon

log = structlog.get_logger("scheduling.request")

# Parts of a path that are secrets: whoever books with a hold receives the token of the booking.
_SECRET_PARTS = frozenset({"hold_uid"})
_WELL_FORMED = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)


def register_request_log(app: Flask, *, in_production: bool) -> None:
    """Give each request an id before it is handled, and log it afterwards."""
    app.before_request(_begin)
    app.after_request(_log_as_json if in_production else _log_as_text)


def _begin() -> None:
    g.started = time.perf_counter()
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if _WELL_FORMED.fullmatch(given) else f"{random.getrandbits(128):032x}"


def _log_as_text(response: Response) -> Response:
    log.info("%s %s %s %.0fms", request.method, _path(), response.status_code, _milliseconds())
    return response


def _log_as_json(response: Response) -> Response:
    line = {
        **whose_request({}),
        "method": request.method,
        "path": _path(),
        "status": response.status_code,
        "duration_ms": round(_milliseconds(), 1),
        "event": "request",
        "level": "info",
        "time": datetime.now(UTC),
    }
    write_soon(orjson.dumps(line, option=orjson.OPT_UTC_Z).decode())
    return response


def whose_request(line: dict[str, Any]) -> dict[str, Any]:
    """Add the ids of the request and of its user to a line of the log."""
    if has_request_context() and "request_id" in g:
        line["request_id"] = g.request_id
        token = g.get("token")
        if token is not None:
            line["user_id"] = token.user_id
    return line


def _milliseconds() -> float:
    return (time.perf_counter() - g.started) * 1000


def _path() -> str:
    """Return the path without its query, on one line; for a path with a secret, return its rule."""
    if request.url_rule and not _SECRET_PARTS.isdisjoint(request.view_args or ()):
        return str(request.url_rule.rule)
    return request.path.encode("unicode_escape").decode()
