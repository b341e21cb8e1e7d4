"""Entity tags (RFC 9110, sections 8.8.3 and 13.1): the version of a row behind what names the row, its id or uid."""

import re

from flask import Response, jsonify, request

from scheduling.errors import ApiError
from sql.queries import Row

_TAG = re.compile(r'\s*(?:W/)?"(?P<opaque>[^"]*)"\s*', re.ASCII)


def tagged(row: Row, body: object, *, by: str = "id") -> Response:
    """Answer with the ETag of a row."""
    response = jsonify(body)
    response.headers["ETag"] = _etag(row, by)
    return response


def expected_versions(name: int | str) -> list[int] | None:
    """Return the versions that If-Match accepts; None when any will do, [] when none can.

    If-Match compares strongly: a weak tag matches nothing.
    """
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return None
    prefix = f"{name}-"
    opaque = [match["opaque"] for match in map(_TAG.fullmatch, header.split(",")) if match and "W/" not in match[0]]
    tags = [tag.removeprefix(prefix) for tag in opaque if tag.startswith(prefix)]
    return [int(tag) for tag in tags if re.fullmatch(r"[0-9]{1,18}", tag)]


def require_version(row: Row, *, by: str = "id") -> None:
    """Raise ApiError 412 unless If-Match accepts the version of a row."""
    versions = expected_versions(row[by])
    if versions is not None and row["version"] not in versions:
        raise ApiError(412, "precondition_failed", "The booking has changed meanwhile; read it again")


def matches_none(row: Row, *, by: str = "id") -> bool:
    """Tell whether If-None-Match asks for the row because the client has another version of it, or none."""
    header = request.headers.get("If-None-Match")
    if header is None:
        return True
    if header.strip() == "*":
        return False
    known = {match["opaque"] for match in map(_TAG.fullmatch, header.split(",")) if match}
    return _opaque(row, by) not in known


def not_modified(row: Row, *, by: str = "id") -> Response:
    """Answer that the client has the latest version."""
    return Response(status=304, headers={"ETag": _etag(row, by)})


def _etag(row: Row, by: str) -> str:
    return f'"{_opaque(row, by)}"'


def _opaque(row: Row, by: str) -> str:
    return f"{row[by]}-{row['version']}"
