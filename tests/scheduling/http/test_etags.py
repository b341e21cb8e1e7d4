"""Entity tags: who has the version, and who changes another one."""

import pytest

from tests.people import time_on
from tests.scheduling.answers import NOWHERE, assert_refused, nothing_written
from tests.scheduling.appointments.guests import book, guest, text
from tests.scheduling.diary import cancelled, etag_of


def test_answer_with_one_booking_bears_its_etag(people):
    alice = people.alice
    answer = alice.book()
    path = f"/bookings/{answer.json['booking']['id']}"
    tags = [answer.headers["ETag"]]
    assert alice.get(path).headers["ETag"] == tags[0]
    for method, suffix, body in (("PATCH", "", {"title": "New"}), ("DELETE", "", None), ("POST", "/restore", None)):
        tags.append(alice.send(method, path + suffix, body).headers["ETag"])
        assert alice.get(path).headers["ETag"] == tags[-1]
    assert len(set(tags)) == 4
    assert all(tag.startswith('"') and tag.endswith('"') for tag in tags)


def test_two_bookings_never_share_an_etag(people):
    assert len({etag_of(people.alice, people.alice.booking()) for _ in range(3)}) == 3


# What proxies that compress answers make of a tag.
COMPRESSED = ["W/{}", '"{opaque}-gzip"', '"{opaque}-br"', '"{opaque}-zstd"', '"{opaque}--gzip"', 'W/"{opaque}-gzip"']
CURRENT = ["{}", "*", " {} ", '"x", {}', '{}, "x"', '"x",W/{},"y"', 'W/"x", W/{}', *COMPRESSED]


def filled(header, tag):
    return header.format(tag, opaque=tag.strip('"'))


@pytest.mark.parametrize("header", CURRENT)
def test_client_that_has_the_version_gets_304(people, header):
    booking = people.alice.booking()
    tag = etag_of(people.alice, booking)
    answer = people.alice.get(f"/bookings/{booking['id']}", headers={"If-None-Match": filled(header, tag)})
    assert (answer.status_code, answer.data) == (304, b"")
    assert answer.headers["ETag"] == tag
    assert "Content-Type" not in answer.headers or not answer.data


@pytest.mark.parametrize("header", ['"x"', "", "x", '""', "W/", '"1", "2"', '"0-1-gzip"', 'W/"0-1"'])
def test_client_that_has_another_version_gets_the_booking(people, header):
    booking = people.alice.booking()
    answer = people.alice.get(f"/bookings/{booking['id']}", headers={"If-None-Match": header})
    assert (answer.status_code, answer.json) == (200, booking)


def test_304_is_over_when_the_booking_changes(people):
    booking = people.alice.booking()
    path, tag = f"/bookings/{booking['id']}", etag_of(people.alice, booking)
    people.alice.patch(path, {"title": "New"})
    assert people.alice.get(path, headers={"If-None-Match": tag}).status_code == 200


CHANGES = [("PATCH", "", {"title": "New"}), ("DELETE", "", None), ("POST", "/restore", None)]


@pytest.mark.parametrize(("method", "suffix", "body"), CHANGES)
@pytest.mark.parametrize("header", CURRENT)
def test_change_with_the_current_etag_is_accepted(people, method, suffix, body, header):
    booking = cancelled(people.alice) if suffix else people.alice.booking()
    path = f"/bookings/{booking['id']}"
    header = filled(header, etag_of(people.alice, booking))
    answer = people.alice.send(method, path + suffix, body, headers={"If-Match": header})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(("method", "suffix", "body"), CHANGES)
@pytest.mark.parametrize(
    "header",
    [
        *("{}", *COMPRESSED, '"x"', "", "1", '""', '"{id}-99999999999999999999"', '"0-{version}"'),
        *('W/"0-{version}"', 'w/"{id}-{version}"', 'W/ "{id}-{version}"', '"W/{id}-{version}"', "{id}-{version}"),
        *('"{id}-{version}-lzma"', '"{id}-{version}gzip"', '"{id}-{version}-"', '"-{version}"', '"{id}--{version}"'),
    ],
)
def test_change_with_another_etag_is_refused(people, database, method, suffix, body, header):
    alice = people.alice
    booking = alice.booking()
    path, stale = f"/bookings/{booking['id']}", etag_of(alice, booking)
    alice.patch(path, {"title": "Changed meanwhile"})
    if suffix:
        alice.delete(path)
    current = etag_of(alice, booking)
    version = current.strip('"').rpartition("-")[2]
    header = header.format(stale, opaque=stale.strip('"'), id=booking["id"], version=version)
    with nothing_written(database):
        answer = alice.send(method, path + suffix, body, headers={"If-Match": header})
        assert_refused(answer, 412, "precondition_failed")
    assert etag_of(alice, booking) == current


@pytest.mark.parametrize("header", COMPRESSED)
def test_tag_that_a_proxy_changed_counts_for_all_that_has_a_version(people, client, header):
    alice, schedule, event_type = people.alice, people.alice.schedule(), people.alice.event_type()
    ask_as_guest = guest(client, book(client, alice.event_type_uid(), time_on(3, 10)))
    alices = [(f"/schedules/{schedule['id']}", {"name": "Home"}), (f"/event-types/{event_type['uid']}", {"title": "x"})]
    for path, changes in alices:
        tag = alice.get(path).headers["ETag"]
        assert alice.get(path, headers={"If-None-Match": filled(header, tag)}).status_code == 304
        assert alice.patch(path, changes, headers={"If-Match": filled(header, tag)}).status_code == 200
        assert alice.delete(path, headers={"If-Match": filled(header, tag)}).status_code == 412
    tag = ask_as_guest("GET").headers["ETag"]
    assert ask_as_guest("GET", **{"If-None-Match": filled(header, tag)}).status_code == 304
    moved = ask_as_guest("PATCH", {"start": text(time_on(3, 12))}, **{"If-Match": filled(header, tag)})
    assert moved.status_code == 200, moved.text


@pytest.mark.parametrize(("method", "suffix", "body"), CHANGES)
@pytest.mark.parametrize("header", ["*", '"1-1"'])
def test_if_match_on_what_is_not_there_is_404(people, method, suffix, body, header):
    answer = people.alice.send(method, f"/bookings/{NOWHERE}{suffix}", body, headers={"If-Match": header})
    assert_refused(answer, 404, "not_found")
