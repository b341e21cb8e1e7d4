"""Entity tags of bookings (RFC 9110, sections 8.8.3 and 13.1): a booking's version, unique to the booking."""

import re

from flask import Response, jsonify, request

from sql.queries import Row

_TAG = re.compile(r'\s*(?:W/)?"(?P<opaque>[^"]*)"\s*', re.ASCII)


def tagged(row: Row, body: object) -> Response:
    """Answer with the ETag of a booking."""
    response = jsonify(body)
    response.headers["ETag"] = _etag(row)
    return response


def expected_versions(booking_id: int) -> list[int] | None:
    """Return the versions that If-Match accepts; None when any will do, [] when none can.

    If-Match compares strongly: a weak tag matches nothing.
    """
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return None
    prefix = f"{booking_id}-"
    opaque = [match["opaque"] for match in map(_TAG.fullmatch, header.split(",")) if match and "W/" not in match[0]]
    tags = [tag.removeprefix(prefix) for tag in opaque if tag.startswith(prefix)]
    return [int(tag) for tag in tags if re.fullmatch(r"[0-9]{1,18}", tag)]


def matches_none(row: Row) -> bool:
    """Tell whether If-None-Match asks for the booking because the client has another version of it, or none."""
    header = request.headers.get("If-None-Match")
    if header is None:
        return True
    if header.strip() == "*":
        return False
    known = {match["opaque"] for match in map(_TAG.fullmatch, header.split(",")) if match}
    return _opaque(row) not in known


def not_modified(row: Row) -> Response:
    """Answer that the client has the latest version."""
    return Response(status=304, headers={"ETag": _etag(row)})


def _etag(row: Row) -> str:
    return f'"{_opaque(row)}"'


def _opaque(row: Row) -> str:
    return f"{row['id']}-{row['version']}"
