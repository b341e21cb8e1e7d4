"""Who may call a route: a test of a feature says it in ACCESS, and the access matrix asks every kind of caller."""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from scheduling.policies.access import Access

FEATURES = Path(__file__).resolve().parent / "scheduling/routes"
KINDS = ("anonymous", "stranger", "member", "organization admin", "owner", "platform admin")
OK = 0


@dataclass(frozen=True)
class Policy:
    """What a route declares, and what each kind is answered; OK is the route's own success."""

    access: Access
    answers: tuple[int, int, int, int, int, int]


# Columns as in KINDS. Who is not let in sees nothing (404); who sees a thing but may not change it is told so (403).
EVERYBODY = Policy(Access.PUBLIC, (OK, OK, OK, OK, OK, OK))
EVERYBODY_BY_NAME = Policy(Access.OPTIONAL, (OK, OK, OK, OK, OK, OK))
WHO_IS_SIGNED_IN = Policy(Access.AUTHENTICATED, (401, OK, OK, OK, OK, OK))
PLATFORM_ADMINS = Policy(Access.ADMIN, (401, 403, 403, 403, 403, OK))
ITS_PERSON = Policy(Access.AUTHENTICATED, (401, 404, 404, 404, OK, 404))
ITS_MEMBERS = Policy(Access.AUTHENTICATED, (401, 404, OK, OK, OK, 404))
ITS_OWNER = Policy(Access.AUTHENTICATED, (401, 404, 403, 403, OK, 404))
ITS_ADMINS = Policy(Access.AUTHENTICATED, (401, 404, 403, OK, OK, 404))
# Whoever has the link may look; who may not write is told so.
ITS_MANAGERS = Policy(Access.AUTHENTICATED, (401, 403, 403, OK, OK, 403))
ITS_PERSON_BY_LINK = Policy(Access.AUTHENTICATED, (401, 403, 403, 403, OK, 403))
ITS_MEMBERS_BY_LINK = Policy(Access.OPTIONAL, (404, 404, OK, OK, OK, 404))
ITS_INSIDERS_BY_LINK = Policy(Access.AUTHENTICATED, (401, 403, OK, OK, OK, 403))
# Whoever is signed in says so with a token, which is not the one that manages the booking.
ITS_GUEST = Policy(Access.GUEST, (OK, 404, 404, 404, 404, 404))
ITS_GUEST_WHO_LOST_THE_TOKEN = Policy(Access.GUEST, (401, 404, 404, 404, 404, 404))
MEMBERS_BUT_ITS_OWNER = Policy(Access.AUTHENTICATED, (401, 404, OK, OK, 400, 404))


@dataclass(frozen=True)
class Call:
    """A valid request; `ids` says what the placeholders of the path stand for.

    `body_ids` says what ids its body has, `bears` what a caller without an account shows instead of a token.
    """

    policy: Policy
    success: int = 200
    body: Any = None
    ids: dict[str, str] = field(default_factory=dict)
    body_ids: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    bears: str | None = None


def features() -> Iterator[ModuleType]:
    """Yield the tests of routes that say who may call them."""
    for path in sorted(FEATURES.glob("test_*.py")):
        if "\nACCESS = " in path.read_text():
            yield importlib.import_module(f"tests.scheduling.routes.{path.stem}")


def access_of_features() -> dict[str, tuple[Call, ...]]:
    """Return the calls that these tests describe, by method and path below /api/v1."""
    return {route: calls for feature in features() for route, calls in feature.ACCESS.items()}


def made_by_the_owner() -> dict[str, tuple[str, Any, str]]:
    """Return what the owner has: the path and body that make it, and the member of the answer that it is."""
    return {what: made for feature in features() for what, made in getattr(feature, "MADE", {}).items()}
