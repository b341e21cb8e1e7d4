"""Decide who may call a route; every route has one of these decorators."""

from collections.abc import Callable
from enum import Enum
from functools import wraps
from typing import Any

import psycopg2
from flask import Flask, g, request

from scheduling.context import current_user, reading
from scheduling.errors import ApiError
from scheduling.http.bearer import bearer_token
from scheduling.identity.tokens import Token, read_token, token_invalid
from scheduling.policies.idempotency import is_idempotent
from sql.database import Guard

View = Callable[..., Any]

# The function, and the code that it raises, are in sql/migrations.
_REQUIRE_CALLER = "SELECT require_caller(%(user_id)s, %(issued_at)s, %(token_id)s)"
_REVOKED = "TK401"

# A request with both is the user's, or is refused.
_BOTH = ("Authorization", "Idempotency-Key")

# Endpoints that Flask adds by itself.
_OF_FLASK = frozenset({"static"})


class Access(Enum):
    """The policies a route can declare."""

    PUBLIC = "anyone"
    OPTIONAL = "anyone, known when a valid token is sent"
    GUEST = "whoever bears the manage token of the booking"
    AUTHENTICATED = "whoever is signed in"
    ADMIN = "platform administrators"


def public(view: View) -> View:
    """Let anyone in."""
    return _declare(view, Access.PUBLIC)


def guest(view: View) -> View:
    """Require a manage token; the route compares it with the booking's."""

    @wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        g.manage_token = _manage_token()
        return view(*args, **kwargs)

    return _declare(wrapper, Access.GUEST)


def optionally_authenticated(view: View) -> View:
    """Let anyone in; a valid token says who it is.

    With an Idempotency-Key an invalid token is refused: an answer that is stored under a user's key is theirs alone.
    """
    keyed = is_idempotent(view)

    @wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        g.token = _acceptable_token(needed=keyed and all(name in request.headers for name in _BOTH))
        return view(*args, **kwargs)

    return _declare(wrapper, Access.OPTIONAL)


def authenticated(view: View) -> View:
    """Require a valid token.

    Its signature is checked at once. Whether it was revoked, or its user removed, the database checks together with
    the first statement of the route, which then does not run.
    """

    @wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        _sign_in(read_token(_bearer_token()))
        try:
            answer = view(*args, **kwargs)
        except psycopg2.DatabaseError as error:
            raise (token_invalid() if _is_revoked(error) else error) from None
        except ApiError:
            # A caller whose token was revoked must not learn why the request was refused.
            _require_caller()
            raise
        _require_caller()
        return answer

    return _declare(wrapper, access_of(view) or Access.AUTHENTICATED)


def admin_required(view: View) -> View:
    """Require a platform administrator, below `authenticated`; the role comes from the database, not from the token."""

    @wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if current_user()["role"] != "admin":
            raise ApiError(403, "forbidden", "This is for platform administrators")
        return view(*args, **kwargs)

    return _declare(wrapper, Access.ADMIN)


def access_of(view: View) -> Access | None:
    """Return what a view declares, or None."""
    return getattr(view, "access", None)


def require_policies(app: Flask) -> None:
    """Raise RuntimeError at the start for a route that does not declare who may call it."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint not in _OF_FLASK and access_of(app.view_functions[rule.endpoint]) is None:
            raise RuntimeError(
                f"{rule.rule} ({rule.endpoint}) does not say who may call it. Put one "
                f"decorator of scheduling/policies/access.py above {rule.endpoint.rpartition('.')[2]}(): @public, "
                "@optionally_authenticated, @guest, @authenticated or @admin_required"
            )


def _declare(view: View, access: Access) -> View:
    view.access = access  # type: ignore[attr-defined]
    return view


def _sign_in(token: Token) -> None:
    """Set the caller of the request; the database checks the token with the first statement."""
    g.token = token
    g.guard = Guard(_REQUIRE_CALLER, {name: getattr(token, name) for name in ("user_id", "issued_at", "token_id")})


def _acceptable_token(*, needed: bool) -> Token | None:
    """Return the token of the request, or None when there is no valid one.

    When it is needed, an invalid or revoked one raises ApiError 401.
    """
    try:
        token = read_token(_bearer_token())
        if needed:
            _sign_in(token)
            _require_caller()
    except ApiError as error:
        if needed or error.status != 401:
            raise
        return None
    finally:
        g.pop("guard", None)
    return token


def _require_caller() -> None:
    """Let the database check the token unless a statement did; raise ApiError 401 when it was revoked."""
    if g.guard.passed:
        return
    try:
        with reading() as tx:
            tx.confirm()
    except psycopg2.DatabaseError as error:
        raise (token_invalid() if _is_revoked(error) else error) from None


def _is_revoked(error: psycopg2.Error) -> bool:
    return error.pgcode == _REVOKED


def _bearer_token() -> str:
    return _token_of_header("Send the token of /auth/login as `Authorization: Bearer <token>`")


def _manage_token() -> str:
    return _token_of_header(
        "Send the manage_token of the booking as `Authorization: Bearer <token>`; "
        "never in the address, which proxies write into their logs"
    )


def _token_of_header(how_to_send: str) -> str:
    g.token_at_stake = True
    return bearer_token(how_to_send)
