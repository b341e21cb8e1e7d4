"""Hostile values in every field, parameter, path and header of every operation of the OpenAPI document."""

import json
import re

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.attack.assault import Assault
from tests.attack.contract import edges, must_refuse, must_refuse_json, must_refuse_parameter
from tests.attack.corpus import HEADERS, NUMBERS, SHAPES, STRINGS, TIMES
from tests.attack.ledger import WANTED, share
from tests.attack.operations import OPERATIONS

FIELDS = [(operation, name) for operation in OPERATIONS for name in operation.fields]
PARAMETERS = [(operation, name) for operation in OPERATIONS for name in operation.query]
PLACES = [(operation, name) for operation in OPERATIONS for name in operation.path_names]
TEXTS = [*STRINGS.values(), *TIMES]
PIECES = [*NUMBERS, *SHAPES]

drawn = settings(
    max_examples=share(0.2, short=60),
    derandomize=not WANTED,
    database=None,
    deadline=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def some(values, number, *, one_in):
    """Return all values in the long run, one in so many in the short; neighbours get others."""
    return values if WANTED else values[number % one_in :: one_in]


@pytest.fixture
def assault(app, people, database):
    return Assault(app, people, database)


def body_with(operation, name, json_text):
    """Return a good body in which the value of one field is a piece of JSON."""
    members = {key: json.dumps(value) for key, value in (operation.body() or {}).items()} | {name: json_text}
    return "{" + ", ".join(f"{json.dumps(key)}: {value}" for key, value in members.items()) + "}"


def as_json(text):
    """Return a text as JSON, in as few bytes as it can have: a long one is to be read, not refused for its size."""
    return json.dumps(text, ensure_ascii=any("\ud800" <= character <= "\udfff" for character in text))


def is_new_password(operation, name):
    return name == "newPassword" or operation.path.endswith("/register")


@pytest.mark.parametrize(("operation", "name"), FIELDS, ids=str)
def test_hostile_value_of_a_field_is_refused_or_harmless(assault, operation, name):
    schema, new, number = operation.fields[name], is_new_password(operation, name), FIELDS.index((operation, name))
    for text in some(TEXTS, number, one_in=3):
        refused = must_refuse(schema, text, is_new_password=new)
        assault.send(operation, json_text=body_with(operation, name, as_json(text)).encode(), refused=refused)
    # Only an object has room for every shape.
    for piece in PIECES if schema["type"] == "object" else some(PIECES, number, one_in=3):
        refused = must_refuse_json(schema, piece, is_new_password=new)
        assault.send(operation, json_text=body_with(operation, name, piece), refused=refused)


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.fields], ids=str)
def test_body_that_is_no_object_is_refused(assault, operation):
    for piece in some([*PIECES, *map(as_json, STRINGS.values())], OPERATIONS.index(operation), one_in=4):
        if not piece.startswith("{") and piece not in ("", "null"):
            assault.send(operation, json_text=piece, refused=True)
    for octets in (b"\xff\xfe", b"\xed\xa0\x80", b"\x00", b'{"a": "\xc0\x80"}', b"\xef\xbb\xbf{}", bytes(range(256))):
        assault.send(operation, json_text=octets, refused=True)


@pytest.mark.parametrize(("operation", "name"), PARAMETERS, ids=str)
def test_hostile_value_of_a_parameter_is_refused_or_harmless(assault, operation, name):
    schema = operation.query[name]
    always = ["a\0b", *edges(schema), *(TIMES if schema.get("format") == "date-time" else ())]
    for text in always + some([*TEXTS, *PIECES], PARAMETERS.index((operation, name)), one_in=5):
        refused = must_refuse_parameter(schema, name, text)
        assault.send(operation, query=[(name, text)], refused=refused)
    assault.send(operation, query=[(name, "1"), (name, "1")], refused=True)
    assault.send(operation, query=[(f"{name}[]", "'"), (f"{name}[$ne]", "1"), (name.upper(), "\\")])


@pytest.mark.parametrize(("operation", "name"), PLACES, ids=str)
def test_hostile_id_is_not_there(assault, operation, name):
    own = str(assault.ids.get(name))
    texts = [*TEXTS, *PIECES, f"{own} ", f"0{own}x", f"-{own}", f"{own}.0", f"{own}/..", f"{own};x"]
    for text in some(texts, PLACES.index((operation, name)), one_in=6):
        # Nothing is another path, and dots are resolved before they are sent.
        if text not in ("", ".", "..", own):
            # What nobody holds is let go already.
            is_gone = name == "hold_uid"
            answer = assault.send(operation, path={name: text}, refused=not is_gone)
            assert answer.status_code in ({200, 404, 405} if is_gone else {400, 404, 405}), answer.text


def environ_of(name, value):
    key = name.upper().replace("-", "_")
    return {key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}": value}


def header_is_refused(operation, name, value):
    if name == "Authorization":
        return operation.needs_token
    if name == "Idempotency-Key":
        return name in operation.headers and not re.fullmatch(r"[\x21-\x7e]{1,255}", value)
    return name == "Transfer-Encoding" and value != "chunked"


@pytest.mark.parametrize("name", HEADERS)
def test_hostile_header_is_refused_or_harmless(assault, name):
    for number, value in enumerate(HEADERS[name]):
        for operation in some(OPERATIONS, number, one_in=6):
            refused = header_is_refused(operation, name, value)
            assault.send(operation, environ=environ_of(name, value), refused=refused)


any_text = st.text(max_size=40) | st.sampled_from(TEXTS)
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | any_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=12,
)


@given(st.sampled_from([each for each in OPERATIONS if each.fields]), st.data())
@drawn
def test_any_json_in_several_fields_is_refused_or_harmless(assault, operation, data):
    names = data.draw(st.sets(st.sampled_from(sorted(operation.fields)), min_size=1))
    values = {name: data.draw(any_json) for name in names}
    unknown = data.draw(st.dictionaries(any_text, any_json, max_size=2))
    extra = {name: value for name, value in unknown.items() if name not in operation.fields}
    refused = any(
        must_refuse(operation.fields[name], value, is_new_password=is_new_password(operation, name))
        for name, value in values.items()
    )
    body = json.dumps(operation.body() | extra | values, ensure_ascii=data.draw(st.booleans()))
    assault.send(operation, json_text=body.encode(errors="surrogatepass"), refused=refused)


@given(st.sampled_from([each for each in OPERATIONS if each.query]), st.data())
@drawn
def test_any_text_in_several_parameters_is_refused_or_harmless(assault, operation, data):
    names = data.draw(st.sets(st.sampled_from(sorted(operation.query)), min_size=1))
    given_values = {name: data.draw(any_text) for name in names}
    refused = any(must_refuse_parameter(operation.query[name], name, text) for name, text in given_values.items())
    assault.send(operation, query=list(given_values.items()), refused=refused)


@given(st.sampled_from(OPERATIONS), st.data())
@drawn
def test_any_bytes_in_headers_are_refused_or_harmless(assault, operation, data):
    names = data.draw(st.sets(st.sampled_from(sorted(HEADERS)), min_size=1, max_size=3))
    visible = st.text(st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="\r\n"), max_size=60)
    environ = {}
    for name in names:
        environ |= environ_of(name, data.draw(visible | st.sampled_from(HEADERS[name])))
    assault.send(operation, environ=environ)
