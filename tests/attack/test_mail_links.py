"""What strangers type reaches the places it belongs to, in no mail as a link, and nothing else of a guest's mail."""

import re

import pytest

from jobs.mails.links import without_links
from tests.attack.test_mail_injection import HEADERS
from tests.jobs.mails.addresses_in_text import like_links
from tests.people import PASSWORD, Person, time_on
from tests.scheduling.appointments.guests import GUEST, book, guest, text
from tests.written_mails import deliver_all, places

VICTIM = "victim@example.com"
# One word for each thing that somebody may type, and where it stands in a mail to the address that the guest typed.
TITLE_PLACES = {"Subject", "text", "page", "SUMMARY"}
BELONGS: dict[str, set[str]] = {
    "Titlemark": TITLE_PLACES,
    "Renamedmark": TITLE_PLACES,
    "Hostmark": {"text", "page", "ATTENDEE"},
    "Guestmark": {"text", "page"},
    "hostmark@example.com": {"Reply-To", "ATTENDEE"},
    VICTIM: {"To", "ATTENDEE"},
    "Descriptionmark": set(),
    "Organizationmark": set(),
    "Schedulemark": set(),
    "Notesmark": set(),
    "Movemark": set(),
    "Reasonmark": set(),
}
URLS = [
    "Win http://evil.example/x",
    "www.evil.example evil.co.uk/x",
    "win@evil.example mailto:a@b.example",
    "1.2.3.4/x //evil.example",
    "пример.испытание evil。example",
    "evil\u2060.\u200bexample javascript:alert(1)",
    "\u202eelpmaxe.live\u202c tel:+15551234567",
    "[here](http://evil.example) <a href=http://evil.example>here</a>",
]


@pytest.fixture
def sent(database_url, tmp_path):
    """Return what has been sent, as places by recipient."""

    def send():
        return [(mail["To"], places(mail)) for mail in deliver_all(database_url, tmp_path)]

    return send


def register(client, name, email):
    answer = client.post("/auth/register", {"name": name, "email": email, "password": PASSWORD})
    assert answer.status_code == 201, answer.text
    host = Person.__new__(Person)
    host.http, host.token, host.id = client.http, answer.json["token"], answer.json["user"]["id"]
    return host


def meet(client, host, day=3, **words):
    """Book as a guest, move it, let the host rename it, and cancel it, with words in everything that can be typed."""
    organization = host.organization(words["organization"])
    schedule = host.schedule(
        name=words["schedule"],
        time_zone="UTC",
        rules=[{"days": ["MO", "TU", "WE", "TH", "FR", "SA", "SU"], "start": "00:00", "end": "24:00"}],
    )
    offer = {"title": words["title"], "description": words["description"], "schedule_id": schedule["id"]}
    link = host.event_type(**offer, organization_id=organization, hosts=[host.id])["uid"]
    typed = GUEST | {"name": words["guest"], "email": VICTIM, "notes": words["notes"]}
    booked = book(client, link, time_on(day, 10), **typed)
    assert booked.status_code == 201, booked.text
    ask_as_guest = guest(client, booked)
    moved = ask_as_guest("PATCH", {"start": text(time_on(day, 12)), "reason": words["move"], "name": words["move"]})
    assert moved.status_code == 200
    (entry,) = host.get("/bookings").json
    assert host.patch(f"/bookings/{entry['id']}", {"title": words["renamed"]}).status_code == 200
    assert ask_as_guest("DELETE", {"reason": words["reason"]}).status_code == 200


def test_a_word_stands_in_the_mail_of_a_guest_where_it_belongs_and_nowhere_else(client, sent):
    host = register(client, "Hostmark", "hostmark@example.com")
    names = ("title", "renamed", "guest", "description", "organization", "schedule", "notes", "move", "reason")
    meet(client, host, **{name: f"{name.capitalize()}mark" for name in names})
    mails = [found for recipient, found in sent() if recipient == VICTIM]
    assert len(mails) == 4
    for mark, belongs in BELONGS.items():
        seen = {place for mail in mails for place, told in mail.items() if mark in told}
        assert seen == belongs, mark
    # Whoever is told in another letter case, or within a longer word, is told all the same.
    for mark in [mark for mark, belongs in BELONGS.items() if not belongs]:
        assert not any(mark.lower() in told.lower() for mail in mails for told in mail.values())


def assert_no_links(found, *addresses):
    for place, told in found.items():
        if place in {"From", "To", "Reply-To", "Message-ID", "ORGANIZER", "DTSTART", "DTEND", "DTSTAMP", "UID"}:
            continue
        rest = re.sub("|".join(rf"(?:mailto:)?{re.escape(address)}" for address in addresses), "", told)
        assert like_links(rest) == [], (place, told)


@pytest.mark.parametrize("url", URLS, ids=ascii)
def test_nothing_that_was_typed_is_a_link_in_any_mail(client, people, sent, url):
    host = register(client, url, "hostmark@example.com")
    names = ("title", "renamed", "guest", "description", "organization", "schedule", "notes", "move", "reason")
    meet(client, host, **dict.fromkeys(names, url))
    host.booking(url, day=5)
    people.bob.post("/organizations", {"name": url})
    host_email = {"email": "hostmark@example.com"}
    (acme,) = people.bob.get("/organizations").json
    assert people.bob.post(f"/organizations/{acme['id']}/members", host_email).status_code == 201
    assert people.bob.patch("/users/me", {"name": url, "email": "new@evil.example"}).status_code == 200
    mails = sent()
    assert {"victim@example.com", "hostmark@example.com", people.bob.email} <= {recipient for recipient, _ in mails}
    for _, found in mails:
        assert set(found) & HEADERS == HEADERS
        assert_no_links(found, VICTIM, "hostmark@example.com", people.bob.email)
    # Every word is still there.
    told = [found["Subject"] for recipient, found in mails if recipient == VICTIM]
    assert told[0] == f"Booking confirmed: {without_links(url)}"
