"""What the contract says about a value, in words of its own: it borrows nothing from the code under attack."""

import json
import math
import re
import unicodedata
from typing import Any, NoReturn
from zoneinfo import available_timezones

from tests.attack.corpus import TIMES

_INVISIBLE = " \t\n\r\x0b\x0c\x85\u00a0\u2003\u2028\u2029\u200b\u2060\u00ad\ufeff\ufe0f\u0301\u3164\u2800"
_TIME = re.compile(r"20[0-9]{2}-[01][0-9]-[0-3][0-9][Tt ][0-9:]{8}(\.[0-9]{1,30})?([Zz]|[+-][0-9]{2}:[0-9]{2})")


def must_refuse(schema: dict[str, Any], value: Any, *, is_new_password: bool = False) -> bool:
    """Tell whether a value of a body must be refused; False when the contract leaves it open."""
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if value is None:
        return "null" not in kinds
    if "string" in kinds:
        return not isinstance(value, str) or _is_bad_text(schema, value, is_new_password=is_new_password)
    if "array" in kinds:
        least, most = schema.get("minItems", 0), schema.get("maxItems", math.inf)
        return not isinstance(value, list) or not least <= len(value) <= most
    if "integer" in kinds:
        bounds = schema.get("minimum", value), schema.get("maximum", value)
        return isinstance(value, bool) or not isinstance(value, int) or not bounds[0] <= value <= bounds[1]
    return not isinstance(value, bool if "boolean" in kinds else dict)


def must_refuse_json(schema: dict[str, Any], text: str, *, is_new_password: bool = False) -> bool:
    """Tell whether a piece of JSON must be refused as the value of a field of a body."""
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return True
    # The body around it is a level too.
    return _depth(value) > 19 or _is_unstorable(value) or must_refuse(schema, value, is_new_password=is_new_password)


def must_refuse_parameter(schema: dict[str, Any], name: str, text: str) -> bool:
    """Tell whether a query parameter must be refused; False when the contract leaves it open."""
    if "\0" in text:
        return True
    if "integer" in schema["type"]:
        inside = re.fullmatch("[0-9]{1,19}", text) and schema["minimum"] <= int(text) <= schema["maximum"]
        return not inside
    if "enum" in schema:
        return text not in [choice for choice in schema["enum"] if choice is not None]
    if schema.get("format") == "date-time":
        return not is_time(text)
    # None of ours is ever sent, and what is not ours is refused.
    return name == "cursor"


def is_time(text: str) -> bool:
    """Tell whether the contract takes a text for a time."""
    return TIMES.get(text, bool(_TIME.fullmatch(text)))


def edges(schema: dict[str, Any]) -> list[str]:
    """Return the numbers next to the bounds of a parameter."""
    if "integer" not in schema["type"]:
        return []
    return [str(schema[bound] + step) for bound in ("minimum", "maximum") for step in (-1, 0, 1)] + ["999999"]


def _depth(value: Any) -> int:
    """Return how deep a value is nested."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(_depth, inner), default=0)


def _is_unstorable(value: Any) -> bool:
    """Tell whether a value is too large for 64 bits, or holds what is no text, at any depth."""
    if isinstance(value, dict):
        return any(map(_is_unstorable, [*value, *value.values()]))
    if isinstance(value, list):
        return any(map(_is_unstorable, value))
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, int):
        return not -(2**63) <= value < 2**63
    return isinstance(value, str) and any(unicodedata.category(each) == "Cs" or each == "\0" for each in value)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError
    return dict(pairs)


def _refuse(_constant: str) -> NoReturn:
    raise ValueError


def _is_bad_text(schema: dict[str, Any], text: str, *, is_new_password: bool) -> bool:
    if "\0" in text or any(unicodedata.category(character) == "Cs" for character in text):
        return True
    form = schema.get("format")
    if "enum" in schema or form == "time-zone":
        return text not in schema.get("enum", available_timezones())
    if form == "password":
        length = len(unicodedata.normalize("NFC", text[:10_000]))
        return not (6 if is_new_password else 1) <= length <= 1024
    if form == "date-time":
        return not is_time(text)
    if form == "email":
        return not re.fullmatch(r"[^\s@\"<>,;:]+@[^\s@\[\]]+\.[^\s@.]+", text) or len(text) > 254
    longest = schema.get("maxLength")
    # What may be empty may have several lines.
    blank, breaks = ("\n\r\t", ("Cc",)) if "minLength" not in schema else ("", ("Cc", "Zl", "Zp"))
    return (
        (longest is not None and len(text) > longest)
        or not (blank or text.strip(_INVISIBLE))
        or any(unicodedata.category(each) in breaks and each not in blank for each in text)
    )
