"""What calendars are told of a guest's booking, and what strangers cannot make them believe."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.mails.invitations import METHODS, write_invitation
from jobs.mails.lines import one_line
from jobs.mails.links import without_links
from jobs.mails.rendering import KINDS as ALL_KINDS
from jobs.mails.rendering import RenderingError
from tests.jobs.mails.appointments import BOOKING, CREATED_AT, KINDS, SENDER, TOKEN, invitation, read_event

PROPERTIES = [
    *("UID", "SEQUENCE", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "STATUS", "DESCRIPTION", "ORGANIZER"),
    *("ATTENDEE", "ATTENDEE", "ATTENDEE"),
]
STRANGE = [
    "Lunch, tea; cake",
    "C:\\new\\;notes\\n",
    'She said "hi" ^n ^^ ^\' to: all',
    "😀👩‍👩‍👧 " * 40,
    "x" * 2000,
    "END:VEVENT",
    "A\r\nATTENDEE:mailto:carol@example.com",
    "A\nMETHOD:CANCEL",
    "A\rSTATUS:CANCELLED",
    "A\u2028UID:another",
    "A\x85UID:another",
    "A\x0bUID:another\x0c\x1c\x7f",
    "A\\nUID:another",
    ";CN=Carol:mailto:carol@example.com",
    "{{ 7 * 7 }} =?utf-8?q?=0D=0A?=",
]
PERSON = r"""(?:ORGANIZER|ATTENDEE)(?:;CN=(?:"([^"]*)"|([^";:,]*)))?(?:;PARTSTAT=ACCEPTED)?:(mailto:\S+)"""
# PostgreSQL holds neither in a text.
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


def lines_of(text):
    """Return the lines of the event as one finds them who only knows how lines are folded."""
    lines = text.replace("\r\n ", "").split("\r\n")
    return lines[lines.index("BEGIN:VEVENT") + 1 : lines.index("END:VEVENT")]


def names_of(text):
    """Return the names of the properties of the event, in no order."""
    return sorted(re.match(r"[A-Z]+", line)[0] for line in lines_of(text))


def people_of(text):
    """Return names and addresses by the letter of RFC 5545 3.2 and RFC 6868; icalendar reads backslashes otherwise."""
    found = [re.fullmatch(PERSON, line) for line in lines_of(text) if line.startswith(("ORGANIZER", "ATTENDEE"))]
    plain = {"^n": "\n", "^'": '"', "^^": "^"}
    return [(re.sub(r"\^[n'^]", lambda code: plain[code[0]], one[1] or one[2] or ""), one[3]) for one in found]


@pytest.mark.parametrize(
    ("kind", "method", "status"),
    [
        ("APPOINTMENT_CONFIRMED", "REQUEST", "CONFIRMED"),
        ("APPOINTMENT_MOVED", "REQUEST", "CONFIRMED"),
        ("APPOINTMENT_RENAMED", "REQUEST", "CONFIRMED"),
        ("APPOINTMENT_CANCELLED", "CANCEL", "CANCELLED"),
    ],
)
def test_a_calendar_is_told_everything_once(kind, method, status):
    text = invitation(kind, sequence=3)
    calendar, event = read_event(text)
    assert (calendar["VERSION"], calendar["METHOD"]) == ("2.0", method)
    assert calendar["PRODID"] == "-//Scheduling//Scheduling//EN"
    assert METHODS[kind] == method
    assert event["UID"] == f"{BOOKING['uid']}@scheduling"
    assert (event["SEQUENCE"], event["STATUS"]) == (3, status)
    assert event["DTSTART"].dt == datetime(2027, 1, 4, 9, 0, tzinfo=UTC)
    assert event["DTEND"].dt == datetime(2027, 1, 4, 9, 30, tzinfo=UTC)
    assert event["DTSTAMP"].dt == CREATED_AT.replace(microsecond=0)
    assert (event["SUMMARY"], event["DESCRIPTION"]) == ("Intro call", "I bring cake.")
    assert (event["ORGANIZER"], event["ORGANIZER"].params) == ("mailto:noreply@example.com", {"CN": "Acme"})
    assert [(attendee, dict(attendee.params)) for attendee in event["ATTENDEE"]] == [
        ("mailto:gwen@example.com", {"CN": "Gwen", "PARTSTAT": "ACCEPTED"}),
        ("mailto:alice@example.com", {"CN": "Alice", "PARTSTAT": "ACCEPTED"}),
        ("mailto:bob@example.com", {"CN": "Bob", "PARTSTAT": "ACCEPTED"}),
    ]
    assert names_of(text) == sorted(PROPERTIES)


def test_times_stand_in_utc_whatever_their_offset():
    text = invitation(start_time="2027-01-04T14:45:00+05:45", end_time="2027-01-04T15:15:00+05:45")
    assert "\r\nDTSTART:20270104T090000Z\r\nDTEND:20270104T093000Z\r\n" in text
    stamp = CREATED_AT.astimezone(timezone(timedelta(hours=9)))
    assert invitation(created_at=stamp) == invitation()


def test_guest_and_hosts_are_told_the_same_but_for_what_the_guest_has_typed_and_no_token():
    to_guest, to_host = (invitation(role=role) for role in ("guest", "host"))
    told = [line.replace("CN=Gwen;", "") for line in to_host.splitlines() if not line.startswith("DESCRIPTION")]
    assert to_guest.splitlines() == told
    assert "Gwen" not in to_guest
    assert TOKEN not in to_guest


@pytest.mark.parametrize("role", ["guest", "host"])
@pytest.mark.parametrize("kind", KINDS)
def test_whoever_gets_an_invitation_is_invited_and_never_its_organizer(kind, role):
    _, event = read_event(invitation(kind, role))
    recipient = {"guest": "mailto:gwen@example.com", "host": "mailto:alice@example.com"}[role]
    assert recipient in event["ATTENDEE"]
    assert event["ORGANIZER"] == "mailto:noreply@example.com"


def test_organizer_has_a_name_where_the_sender_has_one():
    assert "\r\nORGANIZER:mailto:noreply@example.com\r\n" in invitation(sender="noreply@example.com")


def test_somebody_who_is_guest_and_host_is_invited_once():
    _, event = read_event(invitation(guest=BOOKING["guest"] | {"email": "bob@example.com"}))
    assert event["ATTENDEE"] == ["mailto:bob@example.com", "mailto:alice@example.com"]


@pytest.mark.parametrize("notes", [None, ""])
def test_no_notes_are_no_description(notes):
    _, event = read_event(invitation(guest=BOOKING["guest"] | {"notes": notes}))
    assert "DESCRIPTION" not in event


def test_notes_keep_their_lines():
    notes = "First.\r\n\r\nThen; that,\n\x07and\x0bthis"
    _, event = read_event(invitation(guest=BOOKING["guest"] | {"notes": notes}))
    assert event["DESCRIPTION"] == "First.\n\nThen; that,\nand\nthis"


def test_the_other_kinds_tell_calendars_nothing():
    assert METHODS.keys() == {*KINDS, "BOOKING_CONFIRMATION", "BOOKING_CANCELLED"} <= ALL_KINDS
    for kind in ALL_KINDS - METHODS.keys():
        told = write_invitation(kind, {}, sender=SENDER, recipient="alice@example.com", created_at=CREATED_AT)
        assert told is None


def assert_stays_a_text(text):
    """Write a text everywhere a stranger can, and read it back."""
    person = {"name": text, "email": "gwen@example.com", "time_zone": "UTC", "notes": text}
    written = invitation(title=text, guest=person, hosts=[{"name": text, "email": "alice@example.com"}])
    _, event = read_event(written)
    line = one_line(without_links(text))
    assert event.get("SUMMARY", "") == line
    assert sorted(people_of(written)) == sorted(
        [(line, "mailto:alice@example.com"), (line, "mailto:gwen@example.com"), ("Acme", "mailto:noreply@example.com")]
    )
    assert event["DESCRIPTION"] == "\n".join(one_line(part) for part in without_links(text).splitlines())
    assert names_of(written) == sorted(PROPERTIES[:-1])
    assert all(len(part) <= 75 for part in written.encode().split(b"\r\n"))
    assert not set(written.replace("\r\n", "")) & {"\r", "\n", "\x0b", "\x0c", "\x85", "\u2028", "\u2029", "\x7f"}


@pytest.mark.parametrize("text", STRANGE, ids=ascii)
def test_a_text_stays_a_text(text):
    assert_stays_a_text(text)


@given(TEXTS)
def test_any_text_stays_a_text(text):
    assert_stays_a_text(text)


@pytest.mark.parametrize(
    ("email", "address"),
    [
        ("o'hara+1@example.com", "mailto:o'hara+1@example.com"),
        ("a/b?c=d&e%f@example.com", "mailto:a%2Fb%3Fc%3Dd%26e%25f@example.com"),
        ("zoë@example.com", "mailto:zo%C3%AB@example.com"),
        ("alice@bücher.example", "mailto:alice@xn--bcher-kva.example"),
        ("zoë@пример.испытание", "mailto:zo%C3%AB@xn--e1afmkfd.xn--80akhbyknj4f"),
    ],
)
def test_an_address_becomes_a_uri(email, address):
    _, event = read_event(invitation(hosts=[{"name": "Host", "email": email}], sender=f"Acme <{email}>"))
    assert event["ATTENDEE"][1] == event["ORGANIZER"] == address


@pytest.mark.parametrize(
    "changes",
    [
        {"start_time": None},
        {"start_time": "2027-01-04T09:00:00"},
        {"start_time": "tomorrow"},
        {"sequence": "often"},
        {"hosts": []},
        {"hosts": [{"name": "Alice"}]},
        {"guest": None},
        {"title": None},
    ],
    ids=str,
)
def test_data_that_do_not_fit_are_an_error(changes):
    with pytest.raises(RenderingError):
        invitation(**changes)
