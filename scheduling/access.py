"""Who may call a route. Every route declares it: `public`, `authenticated` or `admin_required`."""

from collections.abc import Callable
from enum import Enum
from functools import wraps
from typing import Any

import structlog
from flask import Flask, g, request

from scheduling.context import reading
from scheduling.errors import ApiError
from scheduling.tokens import Token, read_token, token_invalid
from sql.queries import users

View = Callable[..., Any]

# What Flask would add by itself; none of it is ours to declare.
_OF_FLASK = frozenset({"static"})


class Access(Enum):
    """The policies a route can declare."""

    PUBLIC = "anyone"
    OPTIONAL = "anyone, known when a valid token is sent"
    AUTHENTICATED = "whoever is signed in"
    ADMIN = "platform administrators"


def public(view: View) -> View:
    """Let anyone in."""
    return _declare(view, Access.PUBLIC)


def optionally_authenticated(view: View) -> View:
    """Let anyone in, and know who it is when a valid token says so."""

    @wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        g.current_user = None
        try:
            _sign_in()
        except ApiError as error:
            if error.status != 401:
                raise
        return view(*args, **kwargs)

    return _declare(wrapper, Access.OPTIONAL)


def authenticated(view: View) -> View:
    """Let in whoever bears a valid token."""

    @wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        _sign_in()
        return view(*args, **kwargs)

    return _declare(wrapper, access_of(view) or Access.AUTHENTICATED)


def admin_required(view: View) -> View:
    """Let in platform administrators, below `authenticated`; the role is the database's, not the token's."""

    @wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if g.current_user["role"] != "admin":
            raise ApiError(403, "forbidden", "This is for platform administrators")
        return view(*args, **kwargs)

    return _declare(wrapper, Access.ADMIN)


def access_of(view: View) -> Access | None:
    """Return what a view declares, or None."""
    return getattr(view, "access", None)


def require_policies(app: Flask) -> None:
    """Refuse to start with a route that does not say who may call it; raise RuntimeError that names it."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint not in _OF_FLASK and access_of(app.view_functions[rule.endpoint]) is None:
            raise RuntimeError(
                f"{rule.rule} ({rule.endpoint}) does not say who may call it: "
                "declare it public, optionally_authenticated, authenticated or admin_required"
            )


def _declare(view: View, access: Access) -> View:
    view.access = access  # type: ignore[attr-defined]
    return view


def _sign_in() -> None:
    """Know the caller, or raise ApiError 401: one read by primary key that also sees revocation and removal."""
    g.token_at_stake = True
    token = read_token(_bearer_token())
    with reading() as tx:
        user = users.select_caller(tx, user_id=token.user_id, issued_at=token.issued_at, token_id=token.token_id)
    if user is None:
        raise token_invalid()
    _remember(user, token)


def _remember(user: dict[str, Any], token: Token) -> None:
    g.current_user = user
    g.token = token
    structlog.contextvars.bind_contextvars(user_id=user["id"])


def _bearer_token() -> str:
    """Return the token of the request (RFC 6750, section 2.1); the scheme is case-insensitive."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip(" ")
    if scheme.lower() != "bearer" or not token:
        raise ApiError(
            401,
            "unauthorized",
            "Send the token of /auth/login as `Authorization: Bearer <token>`",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return token
