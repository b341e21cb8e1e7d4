"""Retry-safe writes: a POST with an Idempotency-Key has one effect and one answer, however often it is sent.

The key is kept in the transaction of the work. Only a success consumes it: after a refusal nothing has happened.
"""

import hashlib
import re
from collections.abc import Callable
from functools import wraps
from typing import Any

import orjson
from flask import Response, current_app, g, request

from scheduling.context import transaction
from scheduling.errors import ApiError, invalid_header
from scheduling.json_body import read_json
from sql.database import Transaction
from sql.queries import Row, idempotency

View = Callable[..., Any]

_KEY = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
_SUCCESS = range(200, 300)


def idempotent(view: View) -> View:
    """Make a POST of a signed-in caller repeatable."""

    @wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        key = request.headers.get("Idempotency-Key")
        if key is None or g.token is None:
            return view(*args, **kwargs)
        if not _KEY.fullmatch(key):
            raise invalid_header("Idempotency-Key", "An Idempotency-Key has 1 to 255 visible ASCII characters")
        fingerprint = _fingerprint(read_json(request))
        with transaction() as tx:
            known = _known_answer(tx, key, fingerprint)
            return known or _answer_once(tx, key, fingerprint, lambda: view(*args, **kwargs))

    wrapper.idempotent = True  # type: ignore[attr-defined]
    return wrapper


def is_idempotent(view: View) -> bool:
    """Tell whether a view is repeatable."""
    return getattr(view, "idempotent", False)


def _known_answer(tx: Transaction, key: str, fingerprint: str) -> Response | None:
    """Return the answer of the first request under a key; raise ApiError when it was another one, or still runs."""
    if not idempotency.lock_key(tx, user_id=g.token.user_id, key=key):
        raise ApiError(
            409,
            "idempotency_in_progress",
            "The first request under this Idempotency-Key is still running; repeat it shortly",
            headers={"Retry-After": "1"},
        )
    known = idempotency.select_answer(tx, user_id=g.token.user_id, key=key)
    if known is None:
        return None
    if known["fingerprint"] != fingerprint:
        raise ApiError(422, "idempotency_mismatch", "This Idempotency-Key was used for another request; use a new one")
    return _replay(known)


def _answer_once(tx: Transaction, key: str, fingerprint: str, call: Callable[[], Any]) -> Response:
    """Let the view work inside our transaction, and keep its answer there."""
    g.transaction = tx
    try:
        response = current_app.make_response(call())
    finally:
        del g.transaction
    if response.status_code in _SUCCESS:
        idempotency.insert_answer(
            tx,
            user_id=g.token.user_id,
            key=key,
            fingerprint=fingerprint,
            status=response.status_code,
            body=response.get_data(as_text=True),
            etag=response.headers.get("ETag"),
        )
    return response


def _replay(known: Row) -> Response:
    response = Response(known["body"], known["status"], mimetype="application/json")
    response.headers["Idempotency-Replayed"] = "true"
    if known["etag"] is not None:
        response.headers["ETag"] = known["etag"]
    return response


def _fingerprint(body: Any) -> str:
    """Return what is the same for the same request: the body counts as JSON, not as bytes."""
    canonical = orjson.dumps([request.method, request.path.rstrip("/"), body], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).hexdigest()
