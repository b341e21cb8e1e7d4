"""The answer to what is not even HTTP: gunicorn refuses it before the application sees it, and in HTML.

`gunicorn.conf.py` puts this in the place of gunicorn's own function.
"""

import socket
from http import HTTPStatus
from uuid import uuid4

import orjson
from gunicorn import util

from scheduling.http.headers import HEADERS

_CODES = {414: "uri_too_long", 431: "headers_too_large"}
_DETAILS = {
    414: "The request line is too long",
    431: "The header fields are too large",
}


def write_refusal(connection: socket.socket, status: int, _reason: str, _message: str) -> None:
    """Refuse a request in the one error shape and close the connection."""
    # A transfer coding that we do not know is a fault of the request too.
    status = HTTPStatus.BAD_REQUEST if status == HTTPStatus.NOT_IMPLEMENTED else status
    request_id, detail = uuid4().hex, _DETAILS.get(status, "The request is not valid HTTP")
    body = orjson.dumps(
        {
            "type": "about:blank",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
            "error": detail,
            "code": _CODES.get(status, "malformed_request"),
            "request_id": request_id,
        }
    )
    headers = HEADERS | {
        "Connection": "close",
        "Content-Length": str(len(body)),
        "Content-Type": "application/problem+json",
        "X-Request-ID": request_id,
    }
    lines = [f"HTTP/1.1 {int(status)} {HTTPStatus(status).phrase}", *(f"{name}: {headers[name]}" for name in headers)]
    util.write_nonblock(connection, "\r\n".join([*lines, "", ""]).encode() + body)
