"""Parse JSON bodies strictly: what is returned can be validated, hashed and stored."""

import json
import re
from typing import Any, NoReturn

from flask import Request

from scheduling.errors import ApiError

MAX_BODY_BYTES = 64 * 1024
_MEDIA_TYPE = "application/json"
_MAX_DEPTH = 20
_MAX_INTEGER_DIGITS = 19
# The quantifiers are possessive and the closing quote is optional, so that matching is linear for any input.
_TOKENS = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)


def read_json(request: Request) -> Any:
    """Return the body of a request as JSON, or None when there is none.

    Raises ApiError: 415 when the body is not JSON or is encoded; 400 when it is partial, malformed, nested deeper than
    20, or has duplicate keys, numbers beyond 64 bits or text that PostgreSQL cannot store.
    """
    body = request.get_data(cache=True)
    if not body and not request.mimetype:
        return None
    if not _is_json(request):
        raise ApiError(
            415, "unsupported_media_type", "Send the body as application/json in UTF-8", headers={"Accept": _MEDIA_TYPE}
        )
    if _is_encoded(request):
        raise ApiError(
            415,
            "unsupported_media_type",
            "Send the body as it is, without a Content-Encoding",
            headers={"Accept-Encoding": "identity"},
        )
    # RFC 9110, section 14.5: a part that is taken for the whole loses the rest.
    if "Content-Range" in request.headers:
        raise ApiError(400, "validation_error", "Send the whole body, without a Content-Range")
    if not body:
        return None
    return parse_json(body)


def parse_json(body: bytes) -> Any:
    """Return the value of a JSON text (RFC 8259); raise ApiError 400 when it is malformed or out of bounds."""
    if _depth_exceeded(body):
        raise _malformed(f"The body is nested deeper than {_MAX_DEPTH}")
    try:
        value = _DECODER.decode(body.decode("utf-8"))
    except ApiError:
        raise
    except (ValueError, RecursionError):
        raise _malformed("The body is not valid JSON in UTF-8") from None
    if b"\\u" in body:
        _refuse_unstorable_text(value)
    return value


def _is_json(request: Request) -> bool:
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    return request.is_json and charset in ("utf-8", "utf8")


def _is_encoded(request: Request) -> bool:
    codings = request.headers.get("Content-Encoding", "").split(",")
    return any(coding.strip().lower() not in ("", "identity") for coding in codings)


def _depth_exceeded(body: bytes) -> bool:
    if body.count(b"[") + body.count(b"{") <= _MAX_DEPTH:
        return False
    depth = 0
    for token in _TOKENS.findall(body):
        if token in b"[{":
            depth += 1
            if depth > _MAX_DEPTH:
                return True
        elif token in b"]}":
            depth -= 1
    return False


def _refuse_unstorable_text(value: Any) -> None:
    """Refuse lone surrogates, which are not valid Unicode, and NUL, which PostgreSQL cannot store."""
    # Escaped backslashes are removed first: "u0000" after one is plain text.
    text = json.dumps(value, ensure_ascii=False).replace("\\\\", "")
    if any(0xD800 <= ord(character) <= 0xDFFF for character in text) or "\\u0000" in text:
        raise ApiError(400, "validation_error", "Text must not contain NUL or lone surrogates")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _malformed("An object has the same key twice")
    return members


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > _MAX_INTEGER_DIGITS:
        raise _malformed(f"A number has more than {_MAX_INTEGER_DIGITS} digits")
    number = int(digits)
    if not -(2**63) <= number < 2**63:
        raise _malformed("A number does not fit 64 bits")
    return number


def _float(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise _malformed("A number is too large")
    return number


def _constant(name: str) -> NoReturn:
    raise _malformed(f"{name} is not JSON")


def _malformed(detail: str) -> ApiError:
    return ApiError(400, "malformed_json", detail)


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_int=_integer, parse_float=_float, parse_constant=_constant)
