"""Which web pages may call the API (CORS, the Fetch standard)."""

from flask import Flask, Response, request
from flask_cors import CORS

# What a browser's script may send, and what it may read.
_HEADERS_OF_REQUESTS = [
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "X-Request-ID",
]
_HEADERS_OF_ANSWERS = [
    "ETag",
    "Idempotency-Replayed",
    "Link",
    "Location",
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "Retry-After",
    "X-Request-ID",
]


def allow_origins(app: Flask, origins: list[str]) -> dict[str, str]:
    """Let the pages of these origins call the API; return the headers that are the same for every answer."""
    CORS(
        app,
        origins=origins,
        methods=["GET", "POST", "PATCH", "DELETE", "OPTIONS"],
        allow_headers=_HEADERS_OF_REQUESTS,
        expose_headers=_HEADERS_OF_ANSWERS,
        max_age=600,
        # Every error has a handler, and an answer that passes after_request like any other.
        intercept_exceptions=False,
        # It says so only to an origin that it knows; a cache would give that answer to every other one.
        vary_header=False,
    )
    depends_on_origin = origins != ["*"]
    add_headers = app.after_request_funcs[None].pop()

    def answer_origin(response: Response) -> Response:
        """Spare those who are no browser the search for an origin that they have not named."""
        if depends_on_origin:
            response.vary.add("Origin")
        if request.method == "OPTIONS" or "HTTP_ORIGIN" in request.environ:
            return app.ensure_sync(add_headers)(response)
        return response

    app.after_request(answer_origin)
    exposed = {"Access-Control-Expose-Headers": ", ".join(sorted(_HEADERS_OF_ANSWERS))}
    return {"Access-Control-Allow-Origin": "*", **exposed} if not depends_on_origin else {}
