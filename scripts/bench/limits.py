"""What the API is compared with: the least that Flask, and that gunicorn alone, can do under the same configuration."""

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from flask import Flask, Response, jsonify

BODY = b'{"status":"OK"}'

bare_flask = Flask(__name__, static_folder=None)


@bare_flask.get("/")
def status() -> Response:
    """Answer what never changes."""
    return jsonify(status="OK")


def bare_wsgi(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer what never changes, without a framework."""
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))])
    return [BODY]
