"""What a route may ask of its application: a transaction, the outbox, the caller, the time."""

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
    """What lives as long as the application."""

    settings: Settings
    database: Database
    outbox: Outbox
    passwords: Passwords
    rates: RateLimits


def attach_services(app: Flask, services: Services) -> None:
    """Give an application what its routes will ask for."""
    app.extensions[_EXTENSION] = services


def services() -> Services:
    """Return the services of the current application."""
    return services_of(current_app)


def services_of(app: Flask) -> Services:
    """Return the services of an application."""
    return cast("Services", app.extensions[_EXTENSION])


def transaction() -> AbstractContextManager[Transaction]:
    """Run several statements as one."""
    return _surrounding() or services().database.transaction(g.get("guard"))


def statement() -> AbstractContextManager[Transaction]:
    """Run one statement that is a transaction of its own."""
    return _surrounding() or services().database.statement(g.get("guard"))


def reading() -> AbstractContextManager[Transaction]:
    """Run statements that change nothing."""
    return _surrounding() or services().database.reading(g.get("guard"))


def _surrounding() -> AbstractContextManager[Transaction] | None:
    """Return the transaction that a retry-safe write runs in; who opened it ends it."""
    return nullcontext(g.transaction) if "transaction" in g else None


def caller_id() -> int:
    """Return whose token the request bears."""
    token: Token = g.token
    return token.user_id


def current_user() -> Row:
    """Return the profile of the caller, read once a request; raise ApiError 401 when the person was removed."""
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
