"""Let web pages of other origins call the API (CORS, the Fetch standard)."""

from flask import Flask, Response, request
from flask_cors import CORS

# The headers that a browser lets scripts send, and read.
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
    """Allow these origins to call the API; return the headers that every answer has."""
    CORS(
        app,
        origins=origins,
        methods=["GET", "POST", "PATCH", "DELETE", "OPTIONS"],
        allow_headers=_HEADERS_OF_REQUESTS,
        expose_headers=_HEADERS_OF_ANSWERS,
        max_age=600,
        # Errors have handlers of their own, and their answers pass after_request like all others.
        intercept_exceptions=False,
        # flask-cors would send Vary to known origins only, and a cache would reuse that answer for all others.
        vary_header=False,
    )
    depends_on_origin = origins != ["*"]
    add_headers = app.after_request_funcs[None].pop()

    def answer_origin(response: Response) -> Response:
        """Add the CORS headers; a request without an Origin needs none, and skips the search."""
        if depends_on_origin:
            response.vary.add("Origin")
        if request.method == "OPTIONS" or "HTTP_ORIGIN" in request.environ:
            return app.ensure_sync(add_headers)(response)
        return response

    app.after_request(answer_origin)
    exposed = {"Access-Control-Expose-Headers": ", ".join(sorted(_HEADERS_OF_ANSWERS))}
    return {"Access-Control-Allow-Origin": "*", **exposed} if not depends_on_origin else {}
