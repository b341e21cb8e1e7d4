"""What a route may ask of its application: a transaction, the outbox, the caller, the time."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from flask import Flask, current_app, g
from werkzeug.local import LocalProxy

from jobs.outbox import Outbox
from scheduling.passwords import Passwords
from scheduling.rate_limits import RateLimits
from scheduling.settings import Settings
from sql.database import Database, Transaction

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
    return cast("Services", current_app.extensions[_EXTENSION])


def transaction() -> AbstractContextManager[Transaction]:
    """Run several statements as one."""
    return _surrounding() or services().database.transaction()


def statement() -> AbstractContextManager[Transaction]:
    """Run one statement that is a transaction of its own."""
    return _surrounding() or services().database.statement()


def reading() -> AbstractContextManager[Transaction]:
    """Run statements that change nothing."""
    return _surrounding() or services().database.reading()


def _surrounding() -> AbstractContextManager[Transaction] | None:
    """Return the transaction that a retry-safe write runs in; who opened it ends it."""
    return nullcontext(g.transaction) if "transaction" in g else None


def now() -> datetime:
    """Return the time, aware, in UTC."""
    return datetime.now(UTC)


outbox = cast("Outbox", LocalProxy(lambda: services().outbox))
current_user = cast("dict[str, Any]", LocalProxy(lambda: g.current_user))
