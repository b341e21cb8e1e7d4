"""Make writes safe to retry: a POST with an Idempotency-Key has one effect and one answer, however often it is sent.

The answer is stored in the same transaction as the work. A refusal is not stored: nothing has happened. A user's keys
are the user's own. A caller who is not signed in is identified by an address, and must choose keys that nobody guesses.
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
from scheduling.http.client_address import client_address
from scheduling.http.json_body import read_json
from sql.database import Transaction
from sql.queries import Row, idempotency

View = Callable[..., Any]

_KEY = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
_SUCCESS = range(200, 300)
# The headers that are stored with an answer, by column.
_HEADERS = {"etag": "ETag", "location": "Location"}


@dataclass(frozen=True, slots=True)
class _Store:
    """The statements for the keys of users or of guests, and the parameters that identify a key."""

    lock: Callable[..., bool]
    select: Callable[..., Row | None]
    insert: Callable[..., int]
    name: dict[str, Any]


def idempotent_by(address: Callable[[], str | None]) -> Callable[[View], View]:
    """Make a POST repeatable; a caller without a token is identified by the address that the function returns."""

    def decorator(view: View) -> View:
        @wraps(view)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            key = request.headers.get("Idempotency-Key")
            if key is None:
                return view(*args, **kwargs)
            if not _KEY.fullmatch(key):
                raise invalid_header("Idempotency-Key", "An Idempotency-Key has 1 to 255 visible ASCII characters")
            fingerprint = _fingerprint(read_json(request))
            store = _of_user(key) if g.get("token") else _of_guest(key, address())
            if store is None:
                return view(*args, **kwargs)
            with transaction() as tx:
                known = _known_answer(tx, store, fingerprint)
                return known or _answer_once(tx, store, fingerprint, lambda: view(*args, **kwargs))

        wrapper.idempotent = True  # type: ignore[attr-defined]
        return wrapper

    return decorator


def idempotent(view: View) -> View:
    """Make a POST repeatable; a caller without a token is identified by their network address."""
    return idempotent_by(client_address)(view)


def is_idempotent(view: View) -> bool:
    """Tell whether a view is repeatable."""
    return getattr(view, "idempotent", False)


def replayed(response: Response) -> Response:
    """Mark an answer as a repetition of an earlier one."""
    response.headers["Idempotency-Replayed"] = "true"
    return response


def _of_user(key: str) -> _Store:
    name = {"user_id": g.token.user_id, "key": key}
    return _Store(idempotency.lock_key, idempotency.select_answer, idempotency.insert_answer, name)


def _of_guest(key: str, address: str | None) -> _Store | None:
    """Return None without an address: the route will refuse such a request."""
    if address is None:
        return None
    name = {"address": address, "path": _path(), "key": key}
    return _Store(idempotency.lock_guest_key, idempotency.select_guest_answer, idempotency.insert_guest_answer, name)


def _known_answer(tx: Transaction, store: _Store, fingerprint: str) -> Response | None:
    """Return the stored answer; raise ApiError when the first request was a different one, or still runs."""
    if not store.lock(tx, **store.name):
        raise ApiError(
            409,
            "idempotency_in_progress",
            "The first request under this Idempotency-Key is still running; repeat it shortly",
            headers={"Retry-After": "1"},
        )
    known = store.select(tx, **store.name)
    if known is None:
        return None
    if known["fingerprint"] != fingerprint:
        raise ApiError(422, "idempotency_mismatch", "This Idempotency-Key was used for another request; use a new one")
    return _replay(known)


def _answer_once(tx: Transaction, store: _Store, fingerprint: str, call: Callable[[], Any]) -> Response:
    """Run the view in this transaction, and store its answer in the same one."""
    g.transaction = tx
    try:
        response = current_app.make_response(call())
    finally:
        del g.transaction
    if response.status_code in _SUCCESS:
        store.insert(
            tx,
            **store.name,
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
    """Return the path without a slash at its end, which makes no difference."""
    return request.path.rstrip("/")


def _fingerprint(body: Any) -> str:
    """Return a hash of method, path and body; the body is compared as JSON, not as bytes."""
    canonical = orjson.dumps([request.method, _path(), _canonical(body)], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).hexdigest()


def _canonical(value: Any) -> Any:
    """Return a JSON value in which whole numbers are integers: 1.0 becomes 1."""
    if isinstance(value, dict):
        return {name: _canonical(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_canonical(inner) for inner in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        return int(value)
    return value
