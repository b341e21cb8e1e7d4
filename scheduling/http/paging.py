"""Answer lists in pages, with keyset cursors in a Link header (RFC 8288)."""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import orjson
from flask import Response, jsonify, request
from marshmallow import ValidationError

from scheduling.errors import invalid_parameter
from scheduling.schemas.fields import Instant
from scheduling.schemas.ids import LARGEST_ID
from sql.queries import Row

_INSTANT = Instant()


def _read_id(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= LARGEST_ID:
        raise ValueError
    return value


def _read_flag(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError
    return value


def page(query: dict[str, Any], select: Callable[..., list[Row]], *, key: Sequence[str], **parameters: Any) -> Response:
    """Answer one page of what a statement selects, with a link to the next one.

    `key` names the columns of the order; the statement takes each of them as `after_<column>`.
    """
    limit = query["limit"]
    after = read_cursor(query["cursor"], key)
    rows = select(**parameters, **after, limit=limit + 1)
    response = jsonify(rows[:limit])
    if len(rows) > limit:
        arguments = request.args.to_dict() | {"cursor": make_cursor(rows[limit - 1], key)}
        response.headers["Link"] = f'<{request.script_root}{request.path}?{urlencode(arguments)}>; rel="next"'
    return response


def make_cursor(row: Row, key: Sequence[str]) -> str:
    """Return the cursor of the page after a row."""
    return base64.urlsafe_b64encode(orjson.dumps([row[column] for column in key])).decode().rstrip("=")


def read_cursor(cursor: str | None, key: Sequence[str]) -> dict[str, Any]:
    """Return the parameters of the statement for a cursor; raise ApiError 400 for one that is not ours."""
    if cursor is None:
        return {f"after_{_plain(column)}": None for column in key}
    try:
        values = orjson.loads(base64.urlsafe_b64decode(cursor.encode("ascii") + b"=="))
        if not isinstance(values, list):
            raise TypeError
        return {f"after_{_plain(column)}": _reader(column)(value) for column, value in zip(key, values, strict=True)}
    except (ValueError, TypeError, ValidationError, binascii.Error):
        raise invalid_parameter("cursor", "Use the cursor of a Link header as it is.") from None


def _plain(column: str) -> str:
    """Return the parameter of a column: statements call the id of a membership `after_id`, too."""
    return "id" if column == "membership_id" else column


def _reader(column: str) -> Callable[[Any], Any]:
    if column.startswith("is_"):
        return _read_flag
    return _read_id if _plain(column) == "id" else _read_instant


def _read_instant(value: Any) -> datetime:
    instant: datetime = _INSTANT.deserialize(value)
    return instant
