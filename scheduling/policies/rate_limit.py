"""Limit how often an address may call a route, and send the state of the limit in headers."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Flask, Response, g

from scheduling.context import services
from scheduling.errors import too_many
from scheduling.http.client_address import client_address
from scheduling.identity.rate_limiter import Standing
from scheduling.policies.declarations import declare

View = Callable[..., Any]


def limited(setting: str, *, only_anonymous: bool = False) -> Callable[[View], View]:
    """Limit a route for each address, at the rate of a setting; an empty one means no limit."""

    def decorator(view: View) -> View:
        @wraps(view)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            rate = getattr(services().settings, setting)
            if rate and not (only_anonymous and g.get("token")):
                refuse_beyond(services().rates.take(rate, setting, client_address()))
            return view(*args, **kwargs)

        return declare(wrapper, limit=setting)

    return decorator


def register_default_limit(app: Flask, rate: str) -> None:
    """Limit every request if RATE_LIMIT_DEFAULT is set, and add the headers to all answers."""
    if rate:
        app.before_request(lambda: refuse_beyond(services().rates.take(rate, "default", client_address())))
    app.after_request(_report_standing)


def refuse_beyond(standing: Standing) -> None:
    """Keep the state of a limit for the headers; raise ApiError 429 when it is used up."""
    g.standing = standing
    if not standing.allowed:
        raise too_many(
            f"Too many requests; try again in {standing.reset_seconds} seconds", retry_after=standing.reset_seconds
        )


def _report_standing(response: Response) -> Response:
    standing: Standing | None = g.get("standing")
    if standing is not None:
        response.headers["RateLimit-Limit"] = str(standing.limit)
        response.headers["RateLimit-Remaining"] = str(standing.remaining)
        response.headers["RateLimit-Reset"] = str(standing.reset_seconds)
    return response
