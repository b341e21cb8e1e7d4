"""Bodies that are not what they say, or not all of it."""

import gzip

import pytest

from tests.scheduling.answers import assert_refused, nothing_written
from tests.scheduling.http.test_json_body import JSON, send


@pytest.mark.parametrize(
    "coding", ["gzip", "x-gzip", "br", "deflate", "zstd", "GZIP", "identity, gzip", "aws-chunked", "x"]
)
@pytest.mark.parametrize(
    "body", [b'{"eventType": "x"}', gzip.compress(b'{"eventType": "x"}'), b""], ids=["plain", "compressed", "none"]
)
def test_encoded_body_is_refused(client, database, coding, body):
    with nothing_written(database):
        answer = send(client, body, headers={"Content-Encoding": coding})
        assert_refused(answer, 415, "unsupported_media_type")
    assert answer.headers["Accept-Encoding"] == "identity"
    assert "Content-Encoding" in answer.json["error"]


@pytest.mark.parametrize("coding", ["identity", "Identity", "", "identity, identity"])
def test_body_that_is_said_to_be_as_it_is_is_read(client, coding):
    assert send(client, '{"eventType": "x"}', headers={"Content-Encoding": coding}).status_code == 201


def test_refused_media_type_names_the_one_that_is_taken(client):
    assert send(client, "x", "text/plain").headers["Accept"] == JSON


def test_part_of_a_body_is_refused(client, database):
    with nothing_written(database):
        answer = send(client, '{"eventType": "x"}', headers={"Content-Range": "bytes 0-17/30"})
        assert_refused(answer, 400, "validation_error")
