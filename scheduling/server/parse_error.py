"""Answer what is not HTTP; gunicorn refuses it before the application sees it, and would answer in HTML.

`gunicorn.conf.py` replaces gunicorn's own function with this one, and passes it the headers of every answer.
"""

import socket
from collections.abc import Mapping
from http import HTTPStatus
from uuid import uuid4

import orjson
from gunicorn import util

_CODES = {414: "uri_too_long", 431: "headers_too_large"}
_DETAILS = {
    414: "The request line is too long",
    431: "The header fields are too large",
}


def write_refusal(
    always: Mapping[str, str], connection: socket.socket, status: int, _reason: str, _message: str
) -> None:
    """Refuse a request in the one error shape, with the headers of every answer, and close the connection."""
    # gunicorn answers an unknown transfer coding with 501; for a client it is a mistake in its request.
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
    headers = {
        **always,
        "Connection": "close",
        "Content-Length": str(len(body)),
        "Content-Type": "application/problem+json",
        "X-Request-ID": request_id,
    }
    lines = [f"HTTP/1.1 {int(status)} {HTTPStatus(status).phrase}", *(f"{name}: {headers[name]}" for name in headers)]
    util.write_nonblock(connection, "\r\n".join([*lines, "", ""]).encode() + body)
