"""The guard before parsing: one valid route is enough, because all bodies pass it."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduling.errors import ApiError
from scheduling.http.json_body import parse_json
from tests.scheduling.answers import assert_refused, nothing_written

JSON = "application/json"
LIMIT = 64 * 1024


def send(client, body: bytes | str, content_type=JSON, **options):
    data = body if isinstance(body, bytes) else body.encode()
    return client.post("/analytics/event", data=data, content_type=content_type, **options)


def event(metadata: str) -> str:
    return f'{{"eventType": "x", "metadata": {metadata}}}'


def nested(depth, opening="[", closing="]"):
    """Nest an event, which has two levels of its own."""
    return event('{"a": ' + opening * (depth - 2) + closing * (depth - 2) + "}")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "application/json; charset=UTF-8",
        "Application/JSON;charset=utf8",
        "application/merge-patch+json",
    ],
)
def test_json_in_utf_8_is_read(client, content_type):
    assert send(client, '{"eventType": "é"}', content_type).json["event"]["event_type"] == "é"


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "text/json",
        "application/jsonx",
        "application/json; charset=utf-16",
        "application/json; charset=latin-1",
        "application",
        "/",
        "json",
    ],
)
@pytest.mark.parametrize("body", ['{"eventType": "x"}', ""])
def test_another_media_type_is_refused(client, database, content_type, body):
    with nothing_written(database):
        assert_refused(send(client, body, content_type), 415, "unsupported_media_type")


def test_body_without_a_media_type_is_refused(client, database):
    with nothing_written(database):
        assert_refused(send(client, '{"eventType": "x"}', None), 415, "unsupported_media_type")


@pytest.mark.parametrize("content_type", [None, JSON])
def test_no_body_is_an_empty_object(client, content_type):
    assert_refused(send(client, "", content_type), 400, "validation_error", "/eventType")


@pytest.mark.parametrize("size", [LIMIT + 1, 10 * LIMIT])
@pytest.mark.parametrize("content_type", [JSON, "text/plain", None])
@pytest.mark.parametrize("path", ["/analytics/event", "/bookings", "/bookings/1", "/nowhere"])
def test_body_over_64_kib_is_too_large_everywhere(client, database, size, content_type, path):
    with nothing_written(database):
        answer = client.post(path, data=b" " * size, content_type=content_type)
        assert_refused(answer, 413, "payload_too_large")


def test_body_of_64_kib_is_read(client):
    body = '{"eventType": "x"}'
    assert send(client, body + " " * (LIMIT - len(body))).status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "}",
        "{}}",
        "[",
        '{"eventType": "x",}',
        '{"eventType": "x"} x',
        "{'eventType': 'x'}",
        "{eventType: 1}",
        '{"eventType": "x"',
        '{"eventType": "x',
        '{"eventType": "\\x"}',
        '{"eventType": "\\u12"}',
        '{"eventType": "a\nb"}',
        '{"eventType": "a\tb"}',
        '{"eventType": "a\0b"}',
        '{"eventType": "x"}\0',
        "\0",
        "x",
        "// comment\n{}",
        '\ufeff{"eventType": "x"}',
        event("{'a': 1}"),
        event('{"a": 01}'),
        event('{"a": .5}'),
        event('{"a": 1.}'),
        event('{"a": +1}'),
        event('{"a": 0x1}'),
        event('{"a": True}'),
    ],
)
def test_malformed_json_is_refused(client, database, body):
    with nothing_written(database):
        assert_refused(send(client, body), 400, "malformed_json")


@pytest.mark.parametrize(
    "body",
    [
        b'{"eventType": "\xff"}',
        b'{"eventType": "\xc3"}',
        b'{"eventType": "\xed\xa0\x80"}',
        b'{"eventType": "\xf4\x90\x80\x80"}',
        b'{"eventType": "\xc0\x80"}',
        b"\xff\xfe{\x00}\x00",
        '{"eventType": "x"}'.encode("utf-16"),
        '{"eventType": "x"}'.encode("utf-32"),
        b'\xef\xbb\xbf{"eventType": "x"}',
    ],
)
def test_invalid_utf_8_is_refused(client, database, body):
    with nothing_written(database):
        assert_refused(send(client, body), 400, "malformed_json")


@pytest.mark.parametrize(
    "body",
    [
        '{"eventType": "x", "eventType": "x"}',
        '{"eventType": "x", "eventType": null}',
        '{"eventType": "x", "event\\u0054ype": "y"}',
        '{"eventType": "x", "unknown": 1, "unknown": 1}',
        event('{"a": 1, "a": 1}'),
        event('{"a": [{"b": 1, "b": 2}]}'),
        event('{"": 1, "": 2}'),
    ],
)
def test_duplicate_keys_are_refused_at_every_depth(client, database, body):
    with nothing_written(database):
        assert_refused(send(client, body), 400, "malformed_json")


def test_same_key_in_two_objects_is_no_duplicate(client):
    assert send(client, event('{"eventType": {"eventType": 1}, "a": [{"b": 1}, {"b": 1}]}')).status_code == 201


@pytest.mark.parametrize(
    "number",
    [
        "NaN",
        "Infinity",
        "-Infinity",
        "1e400",
        "-1e400",
        "1e999999999999",
        "1" + "0" * 400 + ".0",
        str(2**63),
        str(-(2**63) - 1),
        "9" * 20,
        "-" + "9" * 5000,
        "1" * 5000,
    ],
)
def test_number_that_nothing_can_hold_is_refused(client, database, number):
    with nothing_written(database):
        assert_refused(send(client, event(f'{{"a": {number}}}')), 400, "malformed_json")
        assert_refused(send(client, f'{{"eventType": "x", "unknown": [{number}]}}'), 400, "malformed_json")


@pytest.mark.parametrize("number", [str(2**63 - 1), str(-(2**63)), "0", "-0", "1e300", "1E-400", "0." + "1" * 5000])
def test_number_that_fits_is_read(client, number):
    assert send(client, event(f'{{"a": {number}}}')).status_code == 201


@pytest.mark.parametrize(
    "text",
    ["\\ud800", "\\udfff", "\\udc00\\ud800", "a\\ud83d", "\\ud83dx\\ude00", "\\u0000", "a\\u0000b"],
)
@pytest.mark.parametrize(
    "body",
    ['{{"eventType": "{}"}}', '{{"eventType": "x", "metadata": {{"a": ["{}"]}}}}', '{{"eventType": "x", "{}": 1}}'],
)
def test_text_that_cannot_be_stored_is_refused(client, database, text, body):
    with nothing_written(database):
        assert_refused(send(client, body.format(text)), 400, "validation_error")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("\\ud83d\\ude00", "😀"),
        ("\\u00e9", "é"),
        ("\\\\u0041", "\\u0041"),
        ("\\\\u0000", "\\u0000"),
        ("\\\\ud800", "\\ud800"),
        ("\\\\\\u0041", "\\A"),
        ("\\/", "/"),
    ],
)
def test_escapes_are_read(client, text, value):
    answer = send(client, f'{{"eventType": "{text}"}}')
    assert (answer.status_code, answer.json.get("event", {}).get("event_type")) == (201, value)


@pytest.mark.parametrize(
    ("depth", "status"), [(19, 201), (20, 201), (21, 400), (100, 400), (10_000, 400), (30_000, 400)]
)
@pytest.mark.parametrize("brackets", [("[", "]"), ('{"a":', "}")])
def test_body_is_nested_at_most_20_deep(client, depth, status, brackets):
    body = nested(depth, *brackets)
    if len(body) > LIMIT:
        body = body[:LIMIT]
    if brackets[0] != "[":
        body = body.replace(":}", ":1}", 1)
    answer = send(client, body)
    assert answer.status_code == status, answer.text
    if status == 400:
        assert_refused(answer, 400, "malformed_json")


def test_brackets_in_text_and_side_by_side_are_no_depth(client):
    assert (
        send(client, event('{"a": "' + "[{" * 500 + '", "b\\"[[[[": [' + ",".join(["[]"] * 500) + "]}")).status_code
        == 201
    )


@pytest.mark.parametrize("body", ["[]", '["eventType"]', '"x"', "1", "true", "false", '[{"eventType": "x"}]'])
def test_body_is_an_object(client, database, body):
    with nothing_written(database):
        assert_refused(send(client, body), 400, "validation_error")


def test_null_is_no_event(client):
    assert_refused(send(client, "null"), 400, "validation_error", "/eventType")


@pytest.mark.parametrize("query", ["type=%00", "type=a%00b", "cursor=%00"])
def test_nul_in_a_query_is_refused(people, query):
    assert people.admin.get(f"/analytics/events?{query}").status_code == 400


@pytest.mark.parametrize("query", ["type=%ff", "type=%ed%a0%80", "type=%F0%9F%98%80"])
def test_any_other_bytes_in_a_query_are_a_text_that_nothing_has(people, query):
    assert people.admin.get(f"/analytics/events?{query}").json == []


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc[]{}\"\\'", max_size=5), inner),
    max_leaves=15,
)


@given(json_values, st.booleans())
@settings(max_examples=150, deadline=None)
def test_what_is_json_is_read_as_it_is(value, ascii_only):
    assert parse_json(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(st.binary(max_size=200) | st.text('{}[]":,\\u0deE+-.1 naNtrfls').map(str.encode))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_read_or_refused(body):
    try:
        value = parse_json(body)
    except ApiError:
        return
    assert json.loads(body) == value
