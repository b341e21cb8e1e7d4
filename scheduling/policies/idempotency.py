"""Retry-safe writes: a POST with an Idempotency-Key has one effect and one answer, however often it is sent.

The key is kept in the transaction of the work. Only a success consumes it: after a refusal nothing has happened.
A user's keys are the user's. Who is not signed in is known by an address, and chooses keys that nobody guesses.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import orjson
from flask import Response, current_app, g, request

from scheduling.context import transaction
from scheduling.errors import ApiError, invalid_header
from scheduling.http.json_body import read_json
from scheduling.policies.rate_limit import client_address
from sql.database import Transaction
from sql.queries import Row, idempotency

View = Callable[..., Any]

_KEY = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
_SUCCESS = range(200, 300)
# What a replay has of the first answer's headers, by column.
_HEADERS = {"etag": "ETag", "location": "Location"}


@dataclass(frozen=True, slots=True)
class _Kept:
    """Where the answer under a key is kept, and what names it there."""

    lock: Callable[..., bool]
    select: Callable[..., Row | None]
    insert: Callable[..., int]
    name: dict[str, Any]


def idempotent_by(address: Callable[[], str | None]) -> Callable[[View], View]:
    """Make a POST repeatable; without a token by whoever has the same address, where there is one."""

    def decorator(view: View) -> View:
        @wraps(view)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            key = request.headers.get("Idempotency-Key")
            if key is None:
                return view(*args, **kwargs)
            if not _KEY.fullmatch(key):
                raise invalid_header("Idempotency-Key", "An Idempotency-Key has 1 to 255 visible ASCII characters")
            fingerprint = _fingerprint(read_json(request))
            kept = _of_user(key) if g.get("token") else _of_guest(key, address())
            if kept is None:
                return view(*args, **kwargs)
            with transaction() as tx:
                known = _known_answer(tx, kept, fingerprint)
                return known or _answer_once(tx, kept, fingerprint, lambda: view(*args, **kwargs))

        wrapper.idempotent = True  # type: ignore[attr-defined]
        return wrapper

    return decorator


def idempotent(view: View) -> View:
    """Make a POST repeatable, without a token from the same network address."""
    return idempotent_by(client_address)(view)


def is_idempotent(view: View) -> bool:
    """Tell whether a view is repeatable."""
    return getattr(view, "idempotent", False)


def replayed(response: Response) -> Response:
    """Mark an answer as one that was given before."""
    response.headers["Idempotency-Replayed"] = "true"
    return response


def _of_user(key: str) -> _Kept:
    name = {"user_id": g.token.user_id, "key": key}
    return _Kept(idempotency.lock_key, idempotency.select_answer, idempotency.insert_answer, name)


def _of_guest(key: str, address: str | None) -> _Kept | None:
    """Return nothing without an address: such a request is refused."""
    if address is None:
        return None
    name = {"address": address, "path": _path(), "key": key}
    return _Kept(idempotency.lock_guest_key, idempotency.select_guest_answer, idempotency.insert_guest_answer, name)


def _known_answer(tx: Transaction, kept: _Kept, fingerprint: str) -> Response | None:
    """Return the answer of the first request under a key; raise ApiError when it was another one, or still runs."""
    if not kept.lock(tx, **kept.name):
        raise ApiError(
            409,
            "idempotency_in_progress",
            "The first request under this Idempotency-Key is still running; repeat it shortly",
            headers={"Retry-After": "1"},
        )
    known = kept.select(tx, **kept.name)
    if known is None:
        return None
    if known["fingerprint"] != fingerprint:
        raise ApiError(422, "idempotency_mismatch", "This Idempotency-Key was used for another request; use a new one")
    return _replay(known)


def _answer_once(tx: Transaction, kept: _Kept, fingerprint: str, call: Callable[[], Any]) -> Response:
    """Let the view work inside our transaction, and keep its answer there."""
    g.transaction = tx
    try:
        response = current_app.make_response(call())
    finally:
        del g.transaction
    if response.status_code in _SUCCESS:
        kept.insert(
            tx,
            **kept.name,
            fingerprint=fingerprint,
            status=response.status_code,
            body=response.get_data(as_text=True),
            **{column: response.headers.get(header) for column, header in _HEADERS.items()},
        )
    return response


def _replay(known: Row) -> Response:
    response = Response(known["body"], known["status"], mimetype="application/json")
    response.headers.update({header: known[column] for column, header in _HEADERS.items() if known[column] is not None})
    return replayed(response)


def _path() -> str:
    """Return the path without the slash at its end, which counts nowhere."""
    return request.path.rstrip("/")


def _fingerprint(body: Any) -> str:
    """Return what is the same for the same request: the body counts as JSON, not as bytes."""
    canonical = orjson.dumps([request.method, _path(), _canonical(body)], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).hexdigest()


def _canonical(value: Any) -> Any:
    """Return a JSON value with whole numbers written in one way: 1.0 is 1."""
    if isinstance(value, dict):
        return {name: _canonical(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_canonical(inner) for inner in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        return int(value)
    return value
