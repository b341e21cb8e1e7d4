"""Declare the answers of a route for the OpenAPI document; the tests compare every answer with it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from scheduling.problems import CODES

View = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Declared:
    """What one route declares."""

    # The codes of its own refusals; those that all routes of its kind share are added for the document.
    refusals: frozenset[str] = frozenset()
    # Its answer has an ETag.
    etag: bool = False
    # A GET supports If-None-Match, a write If-Match.
    conditional: bool = False
    # A token makes no difference.
    tokenless: bool = False
    # The setting with its rate limit.
    limit: str | None = None


def declared(view: View) -> Declared:
    """Return what a view declares."""
    return getattr(view, "declared", Declared())


def declare(view: View, **facts: Any) -> View:
    """Add to what a view declares."""
    view.declared = replace(declared(view), **facts)  # type: ignore[attr-defined]
    return view


def refuses(*codes: str) -> Callable[[View], View]:
    """Declare the codes of a route's own refusals."""
    unknown = set(codes) - CODES.keys()
    if unknown:
        raise ValueError(f"Write {sorted(unknown)} into CODES of scheduling/problems.py, with status and sentence")

    def decorator(view: View) -> View:
        return declare(view, refusals=declared(view).refusals | set(codes))

    return decorator


def carries_etag(view: View) -> View:
    """Declare that the answer has an ETag."""
    return declare(view, etag=True)


def needs_no_token(view: View) -> View:
    """Declare that a token makes no difference, so that the document asks for none."""
    return declare(view, tokenless=True)


def conditional(view: View) -> View:
    """Declare that a GET supports If-None-Match, a write If-Match."""
    return declare(view, conditional=True)
