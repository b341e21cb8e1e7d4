"""Limit how often passwords of an account may be guessed from an address."""

from collections.abc import Callable
from typing import Any

from scheduling.context import services
from scheduling.http.client_address import client_address
from scheduling.policies.declarations import declare
from scheduling.policies.rate_limit import refuse_beyond

View = Callable[..., Any]


def limited_by_failures(view: View) -> View:
    """Declare that a view counts failures itself, with `refuse_after_failures` and `count_failure`."""
    return declare(view, limit="rate_limit_login_failures")


def refuse_after_failures(email: str) -> None:
    """Raise ApiError 429 after too many wrong passwords for an account from this address."""
    rate = services().settings.rate_limit_login_failures
    standing = services().rates.look(rate, "login", email, client_address()) if rate else None
    if standing is not None and not standing.allowed:
        refuse_beyond(standing)


def count_failure(email: str) -> None:
    """Count a wrong password; raise ApiError 429 when the limit is exceeded."""
    rate = services().settings.rate_limit_login_failures
    if rate:
        refuse_beyond(services().rates.take(rate, "login", email, client_address()))
