"""What happens to a request before its route: bounds, ids, one more try where nothing was done."""

import re
from collections.abc import Callable
from typing import Any

from flask import Flask, g, request
from flask.typing import ResponseReturnValue
from gunicorn.http.errors import ParseException
from psycopg2 import errors as postgres
from werkzeug.exceptions import ClientDisconnected, NotFound, RequestEntityTooLarge
from werkzeug.routing import BaseConverter

from scheduling.errors import ApiError
from scheduling.http.json_body import MAX_BODY_BYTES
from scheduling.server.connection_close import close_after_answer
from scheduling.server.deadlines import SocketDeadline
from sql.database import ConnectionLost

_LARGEST_ID = 2**63 - 1
# In these cases PostgreSQL has undone everything, or nothing was ever sent.
_NOTHING_WAS_DONE = (ConnectionLost, postgres.DeadlockDetected, postgres.SerializationFailure)


class IdConverter(BaseConverter):
    """An id in a path. What cannot be one is 0, which no row has: it is not there, like any unknown id."""

    def to_python(self, value: str) -> int:
        """Return the id, or 0."""
        return int(value) if re.fullmatch(r"[1-9][0-9]{0,18}", value) and int(value) <= _LARGEST_ID else 0


class Api(Flask):
    """Flask, with one more try for a request that a passing state of PostgreSQL has undone."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function as it is: none of ours is a coroutine, and Flask would look ten times a request."""
        return func

    def dispatch_request(self) -> ResponseReturnValue:
        """Call the route."""
        try:
            return super().dispatch_request()
        except _NOTHING_WAS_DONE:
            return super().dispatch_request()


def register_request_guard(app: Flask) -> None:
    """Bound what is read before anybody looks at it."""
    deadline = SocketDeadline()

    def guard() -> None:
        # Werkzeug drops what precedes the first name of a path; a doubled slash leads nowhere here as anywhere else.
        if request.environ["PATH_INFO"].startswith("//"):
            raise NotFound
        g.token_at_stake = request.blueprint == "auth" or "Authorization" in request.headers
        # gunicorn undoes chunks and leaves other codings as they are.
        if request.headers.get("Transfer-Encoding", "chunked").lower() != "chunked":
            close_after_answer()
            raise ApiError(400, "malformed_request", "The only transfer coding is chunked")
        # Read now: a body that is too large is refused before anything else is looked at.
        if _has_body():
            _read_body(deadline)

    app.before_request(guard)


def _read_body(deadline: SocketDeadline) -> None:
    """Read the body; raise ApiError for one that is too large, broken off or slow, and leave the connection."""
    try:
        with deadline.during(request.environ.get("gunicorn.socket")):
            body = request.get_data(cache=True)
            if request.content_length is not None and len(body) < request.content_length:
                raise ClientDisconnected
            # Werkzeug stops at its limit without looking whether that was the end.
            if request.content_length is None and len(body) >= MAX_BODY_BYTES and request.environ["wsgi.input"].read(1):
                raise RequestEntityTooLarge
    except RequestEntityTooLarge:
        close_after_answer()
        raise ApiError(413, "payload_too_large", "The body is larger than 64 KiB") from None
    except (OSError, ParseException, ClientDisconnected):
        close_after_answer()
        raise ApiError(400, "malformed_json", "The body did not arrive whole and in time") from None


def _has_body() -> bool:
    return request.environ.get("CONTENT_LENGTH", "0") != "0" or "HTTP_TRANSFER_ENCODING" in request.environ
