"""Read the body of every request before its route runs, within limits of size and time."""

from flask import Flask, g, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected, NotFound, RequestEntityTooLarge

from scheduling.errors import ApiError
from scheduling.http.json_body import MAX_BODY_BYTES
from scheduling.server.connection_close import close_after_answer
from scheduling.server.deadlines import SocketDeadline


def register_request_guard(app: Flask) -> None:
    """Limit the size and the time of every body before its route runs."""
    deadline = SocketDeadline()

    def guard() -> None:
        # Werkzeug ignores extra slashes at the start of a path; elsewhere a doubled slash is not found either.
        if request.environ["PATH_INFO"].startswith("//"):
            raise NotFound
        g.token_at_stake = request.blueprint == "auth" or "Authorization" in request.headers
        # gunicorn decodes chunks and passes other codings on.
        if request.headers.get("Transfer-Encoding", "chunked").lower() != "chunked":
            close_after_answer()
            raise ApiError(400, "malformed_request", "The only transfer coding is chunked")
        # Read here, so that a body that is too large is refused before anything else is checked.
        if _has_body():
            _read_body(deadline)

    app.before_request(guard)


def _read_body(deadline: SocketDeadline) -> None:
    """Read the body; when it is too large, incomplete or slow, raise ApiError and close the connection."""
    try:
        with deadline.during(request.environ.get("gunicorn.socket")):
            body = request.get_data(cache=True)
            if request.content_length is not None and len(body) < request.content_length:
                raise ClientDisconnected
            # Werkzeug stops at its limit without checking whether more follows.
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
