"""What a route declares of its answers, for the OpenAPI document; the tests hold every answer against it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from scheduling.problems import CODES

View = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Declared:
    """What one route declares."""

    # Codes of its own, beside those of all routes that are reached in the same way.
    refusals: frozenset[str] = frozenset()
    # Its answer has the ETag of the one thing that it shows.
    etag: bool = False
    # A GET heeds If-None-Match, a write If-Match.
    conditional: bool = False
    # A token gives no right that nobody has.
    tokenless: bool = False
    # The setting that limits it.
    limit: str | None = None


def declared(view: View) -> Declared:
    """Return what a view declares."""
    return getattr(view, "declared", Declared())


def declare(view: View, **facts: Any) -> View:
    """Add to what a view declares."""
    view.declared = replace(declared(view), **facts)  # type: ignore[attr-defined]
    return view


def refuses(*codes: str) -> Callable[[View], View]:
    """Declare refusals of a route's own by their codes."""
    unknown = set(codes) - CODES.keys()
    if unknown:
        raise ValueError(f"scheduling/problems.py has no such codes: {sorted(unknown)}")

    def decorator(view: View) -> View:
        return declare(view, refusals=declared(view).refusals | set(codes))

    return decorator


def carries_etag(view: View) -> View:
    """Declare that the answer has the ETag of the one thing that it shows."""
    return declare(view, etag=True)


def needs_no_token(view: View) -> View:
    """Declare that a token gives no right that nobody has, so that the document asks for none."""
    return declare(view, tokenless=True)


def conditional(view: View) -> View:
    """Declare that If-None-Match is heeded by a GET, If-Match by a write."""
    return declare(view, conditional=True)
