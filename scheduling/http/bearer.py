"""Read the token of the Authorization header (RFC 6750, section 2.1)."""

from flask import request

from scheduling.errors import ApiError


def bearer_token(how_to_send: str) -> str:
    """Return the token; without one, raise `unauthorized`. The scheme is case-insensitive."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip(" ")
    if scheme.lower() != "bearer" or not token:
        raise unauthorized(how_to_send)
    return token


def unauthorized(how_to_send: str) -> ApiError:
    """Return the refusal of a request without the right token; it says how to send one."""
    return ApiError(401, "unauthorized", how_to_send, headers={"WWW-Authenticate": "Bearer"})
