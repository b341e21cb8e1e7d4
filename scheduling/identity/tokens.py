"""Issue JSON Web Tokens (RFC 7519) with HS256, as the original does, and check every claim of them."""

import hashlib
import time
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any
from uuid import uuid4

import flask_jwt_extended
from flask import Flask, current_app
from flask_jwt_extended.exceptions import JWTExtendedException
from jwt.exceptions import PyJWTError

from scheduling.errors import ApiError
from scheduling.schemas.ids import LARGEST_ID
from scheduling.settings import Settings

# Two machines' clocks differ a little.
_LEEWAY_SECONDS = 5
# A token that replaces others is dated a whole second after them; after many changes in a row it is dated ahead.
_AHEAD_SECONDS = 30
_VERIFIED = "scheduling_verified_tokens"
# Verifying a signature takes longer than the rest of a short read. The cache takes about 8 MB when full.
_CACHED_TOKENS = 8192


@dataclass(frozen=True, slots=True)
class Token:
    """What a verified token says; times in seconds since the epoch, UTC."""

    user_id: int
    token_id: str
    issued_at: int
    expires_at: int


def configure_tokens(app: Flask, settings: Settings) -> None:
    """Configure flask-jwt-extended for our tokens."""
    app.config.update(
        JWT_SECRET_KEY=settings.jwt_secret,
        JWT_ALGORITHM="HS256",
        JWT_COOKIE_CSRF_PROTECT=False,
        JWT_DECODE_ALGORITHMS=["HS256"],
        JWT_DECODE_LEEWAY=_AHEAD_SECONDS,
        JWT_ACCESS_TOKEN_EXPIRES=timedelta(days=settings.jwt_expires_days),
    )
    app.extensions[_VERIFIED] = lru_cache(maxsize=_CACHED_TOKENS)(_verify)
    manager = flask_jwt_extended.JWTManager(app)
    secrets = {_key_id(secret): secret for secret in (settings.jwt_secret_previous, settings.jwt_secret) if secret}
    app.config["JWT_HEADERS"] = {"kid": _key_id(settings.jwt_secret)}

    @manager.decode_key_loader
    def _choose_secret(header: dict[str, Any], _claims: dict[str, Any]) -> str:
        """Return the secret whose id the token names, or the current one."""
        return secrets.get(str(header.get("kid")), settings.jwt_secret)


def issue_token(user: dict[str, Any], *, issued_at: int, life_days: int) -> str:
    """Return a token for a user; `issued_at` is the database's clock, in seconds since the epoch."""
    claims = {
        "id": user["id"],
        "email": user["email"],
        "role": user["role"],
        "iat": issued_at,
        "nbf": min(issued_at, int(time.time())),
        "exp": issued_at + life_days * 86_400,
        "jti": uuid4().hex,
    }
    headers = current_app.config["JWT_HEADERS"]
    return flask_jwt_extended.create_access_token(str(user["id"]), additional_claims=claims, additional_headers=headers)


def read_token(encoded: str) -> Token:
    """Return the verified token; raise ApiError 401 for one that is malformed, foreign, expired or incomplete.

    A verified signature is cached until the token expires. Whether the token was revoked is not checked here.
    """
    token: Token = current_app.extensions[_VERIFIED](encoded)
    if token.expires_at <= time.time():
        raise token_invalid()
    return token


def _verify(encoded: str) -> Token:
    try:
        return _checked(flask_jwt_extended.decode_token(encoded))
    except (PyJWTError, JWTExtendedException, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        raise token_invalid() from None


def token_invalid() -> ApiError:
    """Return the refusal of an invalid token (RFC 6750, section 3.1)."""
    return ApiError(
        401,
        "token_invalid",
        "The token is invalid or expired; sign in again",
        headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
    )


def _key_id(secret: str) -> str:
    """Return an id of a secret that does not reveal it."""
    return hashlib.sha256(b"key id of " + secret.encode()).hexdigest()[:8]


def _checked(claims: dict[str, Any]) -> Token:
    """Require every claim that we issue, in its type: a claim that is missing cannot be checked."""
    subject, user_id, token_id = claims["sub"], claims["id"], claims["jti"]
    times = [claims[name] for name in ("iat", "nbf", "exp")]
    texts = [token_id, claims["email"], claims["role"]]
    if not all(type(number) is int for number in (user_id, *times)) or not all(type(text) is str for text in texts):
        raise TypeError
    issued_at, not_before, expires_at = times
    now = time.time()
    if subject != str(user_id) or not 1 <= user_id <= LARGEST_ID or not 1 <= len(token_id) <= 255:
        raise ValueError
    if not 0 <= issued_at <= now + _AHEAD_SECONDS or not_before > now + _LEEWAY_SECONDS or expires_at <= now:
        raise ValueError
    if "\0" in token_id or not token_id.isprintable():
        raise ValueError
    return Token(user_id, token_id, issued_at, expires_at)
