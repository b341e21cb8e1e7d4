"""Build and compare entity tags (RFC 9110, sections 8.8.3 and 13.1): the id or uid of a row, and its version.

A tag stands for a version of a row, not for bytes. Proxies that compress answers change the tag: they put W/ in front,
or the coding at the end. These forms are accepted too; otherwise nobody behind such a proxy could use If-Match.
"""

import re

from flask import Response, jsonify, request

from scheduling.errors import changed_meanwhile
from sql.queries import Row

# nginx, HAProxy and CDNs weaken the tag; Apache, Caddy and Jetty append the coding.
_TAG = re.compile(r'\s*(?:W/)?"(?P<name>[^"]+)-(?P<version>[0-9]{1,18})(?:--?(?:gzip|br|zstd|deflate))?"\s*', re.ASCII)


def tagged(row: Row, body: object, *, by: str = "id") -> Response:
    """Answer with the ETag of a row."""
    response = jsonify(body)
    response.headers["ETag"] = _etag(row, by)
    return response


def expected_versions(name: int | str) -> list[int] | None:
    """Return the versions that If-Match names; None without the header or with *, [] when it names another row."""
    header = request.headers.get("If-Match")
    return None if header is None or header.strip() == "*" else _versions(header, name)


def require_version(row: Row, *, by: str = "id") -> None:
    """Raise ApiError 412 unless If-Match accepts the version of a row."""
    versions = expected_versions(row[by])
    if versions is not None and row["version"] not in versions:
        raise changed_meanwhile("booking")


def matches_none(row: Row, *, by: str = "id") -> bool:
    """Tell whether the client needs the row: If-None-Match does not name its version."""
    header = request.headers.get("If-None-Match")
    if header is None:
        return True
    if header.strip() == "*":
        return False
    return row["version"] not in _versions(header, row[by])


def not_modified(row: Row, *, by: str = "id") -> Response:
    """Answer 304: the client has this version."""
    return Response(status=304, headers={"ETag": _etag(row, by)})


def _versions(header: str, name: int | str) -> list[int]:
    """Return the versions of this row in a list of tags."""
    tags = [match for match in map(_TAG.fullmatch, header.split(",")) if match]
    return [int(tag["version"]) for tag in tags if tag["name"] == str(name)]


def _etag(row: Row, by: str) -> str:
    return f'"{row[by]}-{row["version"]}"'
