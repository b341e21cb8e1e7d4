"""Every request has an id and leaves one line in the log."""

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

# Parts of a path that let whoever knows them act: who books with a hold is given the token of its booking.
_SECRET_PARTS = frozenset({"hold_uid"})
_WELL_FORMED = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)


def register_observation(app: Flask, *, in_production: bool) -> None:
    """Name each request before it is handled, and report it afterwards."""
    app.before_request(_begin)
    app.after_request(_report_as_object if in_production else _report_as_sentence)


def _begin() -> None:
    g.started = time.perf_counter()
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if _WELL_FORMED.fullmatch(given) else f"{random.getrandbits(128):032x}"


def _report_as_sentence(response: Response) -> Response:
    log.info("%s %s %s %.0fms", request.method, _path(), response.status_code, _milliseconds())
    return response


def _report_as_object(response: Response) -> Response:
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
    """Add to a line of the log which request it is about, and whose."""
    if has_request_context() and "request_id" in g:
        line["request_id"] = g.request_id
        token = g.get("token")
        if token is not None:
            line["user_id"] = token.user_id
    return line


def _milliseconds() -> float:
    return (time.perf_counter() - g.started) * 1000


def _path() -> str:
    """Return the path without its query, on one line; of one that is a secret, the route."""
    if request.url_rule and not _SECRET_PARTS.isdisjoint(request.view_args or ()):
        return str(request.url_rule.rule)
    return request.path.encode("unicode_escape").decode()
