"""Build paths as clients see them: behind a proxy they begin with its prefix."""

from flask import request

PREFIX = "/api/v1"


def created(path: str) -> dict[str, str]:
    """Return the Location header of a new resource (RFC 9110, section 10.2.2)."""
    return {"Location": f"{request.script_root}{PREFIX}{path}"}
