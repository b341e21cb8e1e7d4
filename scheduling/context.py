"""Give routes what they need of the application: transactions, the outbox, the caller, the time."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from flask import Flask, current_app, g
from werkzeug.local import LocalProxy

from jobs.outbox import Outbox
from scheduling.identity.passwords import Passwords
from scheduling.identity.rate_limiter import RateLimits
from scheduling.identity.tokens import Token, token_invalid
from scheduling.settings import Settings
from sql.database import Database, Transaction
from sql.queries import Row, users

_EXTENSION = "scheduling"


@dataclass(frozen=True, slots=True)
class Services:
    """The objects that an application has one of each."""

    settings: Settings
    database: Database
    outbox: Outbox
    passwords: Passwords
    rates: RateLimits


def attach_services(app: Flask, services: Services) -> None:
    """Attach the services to an application."""
    app.extensions[_EXTENSION] = services


def services() -> Services:
    """Return the services of the current application."""
    return services_of(current_app)


def services_of(app: Flask) -> Services:
    """Return the services of an application."""
    return cast("Services", app.extensions[_EXTENSION])


def transaction() -> AbstractContextManager[Transaction]:
    """Open a transaction for several statements."""
    return _surrounding() or services().database.transaction(g.get("guard"))


def statement() -> AbstractContextManager[Transaction]:
    """Open a transaction for one statement, without BEGIN and COMMIT."""
    return _surrounding() or services().database.statement(g.get("guard"))


def reading() -> AbstractContextManager[Transaction]:
    """Open a transaction for statements that change nothing."""
    return _surrounding() or services().database.reading(g.get("guard"))


def _surrounding() -> AbstractContextManager[Transaction] | None:
    """Return the transaction of a request with an Idempotency-Key, which is committed with the stored answer."""
    return nullcontext(g.transaction) if "transaction" in g else None


def caller_id() -> int:
    """Return the id of the user whose token the request has."""
    token: Token = g.token
    return token.user_id


def current_user() -> Row:
    """Return the profile of the caller, read once a request; raise ApiError 401 when the user was deleted."""
    if "current_user" not in g:
        with reading() as tx:
            g.current_user = users.select_caller(tx, user_id=caller_id())
    if g.current_user is None:
        raise token_invalid()
    return cast("Row", g.current_user)


def now() -> datetime:
    """Return the time, aware, in UTC."""
    return datetime.now(UTC)


outbox = cast("Outbox", LocalProxy(lambda: services().outbox))
