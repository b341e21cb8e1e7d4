"""What guest and host read about a booking, each on their own clock."""

# ruff: noqa: RUF001 - an en dash spans times

import pytest

from jobs.mails.links import without_links
from jobs.mails.rendering import RenderingError, render
from tests.jobs.mails.appointments import BOOKING, KINDS, TOKEN, told_to, words

ROLES = ("guest", "host")
PATH = f"/api/v1/guest/bookings/{BOOKING['uid']}"
# A day in winter; the hour that is left out and the hour that comes twice, in both hemispheres; another date elsewhere.
PERIODS = [
    ("UTC", "2027-01-04T09:00:00Z", "2027-01-04T09:30:00Z", "Monday, 4 January 2027, 09:00–09:30 UTC"),
    ("Europe/Berlin", "2027-01-04T09:00:00Z", "2027-01-04T09:30:00Z", "4 January 2027, 10:00–10:30 (Europe/Berlin)"),
    ("Asia/Kathmandu", "2027-01-04T09:00:00Z", "2027-01-04T09:30:00Z", "2027, 14:45–15:15 (Asia/Kathmandu)"),
    ("Pacific/Kiritimati", "2027-01-04T11:00:00Z", "2027-01-04T11:30:00Z", "Tuesday, 5 January 2027, 01:00–01:30 (P"),
    (
        "America/Los_Angeles",
        "2027-01-04T07:45:00Z",
        "2027-01-04T08:15:00Z",
        "Sunday, 3 January 2027, 23:45 – Monday, 4 January 2027, 00:15 (America/Los_Angeles)",
    ),
    (
        "Europe/Berlin",
        "2027-03-28T00:30:00Z",
        "2027-03-28T01:30:00Z",
        "Sunday, 28 March 2027, 01:30 UTC+01:00 – 03:30 UTC+02:00 (Europe/Berlin)",
    ),
    ("Europe/Berlin", "2027-03-28T01:00:00Z", "2027-03-28T01:30:00Z", "28 March 2027, 03:00–03:30 (Europe/Berlin)"),
    (
        "Europe/Berlin",
        "2027-10-31T00:30:00Z",
        "2027-10-31T01:00:00Z",
        "Sunday, 31 October 2027, 02:30 UTC+02:00 – 02:00 UTC+01:00 (Europe/Berlin)",
    ),
    (
        "Europe/Berlin",
        "2027-10-31T01:15:00Z",
        "2027-10-31T01:30:00Z",
        "31 October 2027, 02:15 UTC+01:00 – 02:30 UTC+01:00 (Europe/Berlin)",
    ),
    (
        "Australia/Lord_Howe",
        "2027-04-03T14:50:00Z",
        "2027-04-03T15:05:00Z",
        "Sunday, 4 April 2027, 01:50 UTC+11:00 – 01:35 UTC+10:30 (Australia/Lord_Howe)",
    ),
]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("kind", "subject"),
    [
        ("APPOINTMENT_CONFIRMED", "Booking confirmed: Intro call"),
        ("APPOINTMENT_MOVED", "Booking moved: Intro call"),
        ("APPOINTMENT_RENAMED", "Booking renamed: Intro call"),
        ("APPOINTMENT_CANCELLED", "Booking cancelled: Intro call"),
    ],
)
def test_subjects_say_what_happened_to_what(kind, subject, role):
    assert render(kind, told_to(role)).subject == subject


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("zone", "start", "end", "phrase"), PERIODS)
def test_times_are_those_of_the_reader(kind, role, zone, start, end, phrase):
    mail = render(kind, told_to(role, time_zone=zone, start_time=start, end_time=end))
    assert phrase in words(mail.text)
    assert phrase in mail.html


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "Europe", "x" * 5000, None])
def test_a_zone_that_is_none_is_an_error(zone):
    with pytest.raises(RenderingError):
        render(KINDS[0], told_to("guest", time_zone=zone))


@pytest.mark.parametrize("kind", KINDS)
def test_guests_read_with_whom_and_hosts_read_who_comes_and_what_for(kind):
    to_guest, to_host = (render(kind, told_to(role)) for role in ROLES)
    assert "Hello Gwen,\n" in to_guest.text
    assert "With: Alice, Bob\n" in to_guest.text
    assert "I bring cake." not in to_guest.text
    assert "Hello Alice," in to_host.text
    for line in ("Guest: Gwen, gwen@example.com", "Hosts: Alice, Bob", "Notes: I bring cake."):
        assert f"{line}\n" in to_host.text
        assert line.partition(": ")[2] in to_host.html
    assert "Hosts:" not in render(kind, told_to("host", hosts=BOOKING["hosts"][:1])).text


def test_only_hosts_are_told_that_their_time_is_free_again():
    to_guest, to_host = (render("APPOINTMENT_CANCELLED", told_to(role)) for role in ROLES)
    for part in (to_guest.text, to_guest.html):
        assert "The booking is cancelled." in part
        assert "free" not in part
    for part in (to_host.text, to_host.html):
        assert "The booking is cancelled, and its time is free again." in words(part)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name", ["Go to http://evil.example", "Call evil.example/x", "www.evil.example", "a@evil.example", "x" * 41, "Dr.X"]
)
def test_guests_are_not_greeted_by_what_may_not_be_a_name(kind, name):
    guest = BOOKING["guest"] | {"name": name}
    mail = render(kind, told_to("guest", name=name, guest=guest))
    assert "Hello,\n" in mail.text
    assert '<p style="margin: 0 0 16px;">Hello,</p>' in mail.html
    for part in (mail.subject, mail.text, mail.html):
        assert name not in part
        assert without_links(name) not in part
    assert f"Guest: {without_links(name)}," in render(kind, told_to("host", guest=guest)).text


def test_hosts_read_why_it_was_cancelled_and_whoever_has_the_address_of_the_guest_does_not():
    mail = render("APPOINTMENT_CANCELLED", told_to("host", reason="A cold."))
    assert "Reason: A cold.\n" in mail.text
    assert "A cold." in mail.html
    assert "Reason" not in render("APPOINTMENT_CANCELLED", told_to("host")).text
    assert "A cold." not in render("APPOINTMENT_CANCELLED", told_to("guest", reason="A cold.")).text


def test_guests_read_how_to_move_or_cancel_and_nobody_else_does():
    confirmed = render("APPOINTMENT_CONFIRMED", told_to("guest"))
    for line in (f"To move it: PATCH {PATH}", f"To cancel it: DELETE {PATH}", f"Token: {TOKEN}"):
        assert f"\n{line}\n" in confirmed.text
        assert line.partition(": ")[2] in confirmed.html
    moved = render("APPOINTMENT_MOVED", told_to("guest", manage_token=None))
    assert PATH in moved.text
    assert "Token: the one in the confirmation\n" in moved.text
    others = [render(kind, told_to("host")) for kind in KINDS] + [render("APPOINTMENT_CANCELLED", told_to("guest"))]
    for mail in others:
        for part in (mail.text, mail.html):
            assert PATH not in part
            assert TOKEN not in part


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", '"><img src=x>', "a\r\nBcc: x", "a\nToken: mine", "{{7*7}}"]
)
def test_what_a_stranger_writes_stays_a_word(kind, role, text):
    guest = {"name": text, "email": "gwen@example.com", "time_zone": "UTC", "notes": text}
    hosts = [{"name": text, "email": "alice@example.com"}, {"name": text, "email": "bob@example.com"}]
    told = {"reason": "N", "name": "N", "title": "N"}
    plain = render(kind, told_to(role, **told, guest=guest | {"name": "N", "notes": "N"}))
    mail = render(kind, told_to(role, guest=guest, hosts=hosts, **dict.fromkeys(told, text)))
    assert mail.subject.splitlines() == [mail.subject]
    assert words(text) in words(mail.text)
    assert not {"Bcc: x", "Token: mine"} & set(mail.text.splitlines())
    assert mail.html.count("<") == plain.html.count("<")
