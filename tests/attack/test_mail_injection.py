"""Titles, names and addresses on their way into a mail: they stay words, of the subject and of the body."""

import html
import re

import pytest
from redis import Redis

from jobs.mails.links import without_links
from jobs.mails.rendering import render
from jobs.providers.mime import encode
from tests.attack.corpus import STRINGS
from tests.databases import ask
from tests.jobs.providers.messages import read_mail, text_of, write_message
from tests.people import PASSWORD
from tests.scheduling.answers import assert_refused, nothing_written
from tests.stack import running
from tests.waiting import eventually

TITLE = """{{7*7}} {% raw %} ${7*7} <script>alert("1")</script> '"&amp; %s %(x)s {0}"""
HEADERS = {"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"}
# Each would add a header, or end them, where it was read as a header itself.
BREAKS = [
    f"Standup{line_break}Bcc: victim@example.com"
    for line_break in ("\r\n", "\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\0")
]
ENCODED = [
    "=?utf-8?q?=0D=0ABcc:_victim@example.com?=",
    "x =?utf-8?b?DQpCY2M6IHZpY3RpbUBleGFtcGxlLmNvbQ==?=",
    "=?us-ascii?q?=0a=0aA_body_of_mine?=",
    "=?iso-8859-1?Q?=0D?= =?iso-8859-1?Q?=0AReply-To:_a@b.co?=",
]


def book(person, title):
    return person.book(title, day=3)


def found(person, title):
    return person.post("/organizations", {"name": title})


def register(person, title):
    return person.http.post(
        "/api/v1/auth/register", json={"name": title, "email": "new@example.com", "password": PASSWORD}
    )


def rename(person, title):
    return person.patch("/users/me", {"name": title, "email": f"other{person.id}@example.com"})


WAYS = [book, found, register, rename]


def mails(database):
    """Return all promised mails as a mail server would get them."""
    for row in ask(database, "SELECT kind, recipient, data FROM emails ORDER BY id"):
        rendered = render(row["kind"], row["data"])
        written = write_message(to=row["recipient"], subject=rendered.subject, text=rendered.text, html=rendered.html)
        yield read_mail(encode(written))


def invite_everybody(people):
    """Turn the names of organizations into mails too."""
    for organization in people.alice.get("/organizations").json:
        people.alice.post(f"/organizations/{organization['id']}/members", {"email": people.bob.email})


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("title", BREAKS, ids=ascii)
def test_text_that_would_break_a_header_is_refused(people, database, way, title):
    person = people.alice
    with nothing_written(database):
        answer = way(person, title)
    assert answer.status_code == 400
    assert answer.json["code"] == "validation_error"


@pytest.mark.parametrize("way", WAYS[:3])
@pytest.mark.parametrize("title", ENCODED)
def test_encoded_words_in_a_title_are_words_in_the_mail(people, database, way, title):
    assert way(people.alice, title).status_code == 201
    invite_everybody(people)
    about = [mail for mail in mails(database) if mail["Subject"].endswith(without_links(title))]
    assert len(about) == 1
    assert set(about[0].keys()) == HEADERS


@pytest.mark.parametrize(
    "email",
    [
        "a@example.com\r\nBcc: b@example.com",
        "a@example.com,b@example.com",
        "<a@example.com>",
        '"a\r\nb"@example.com',
        "a@example.com>\r\nRCPT TO:<b@example.com",
        "=?utf-8?q?=0d=0abcc=3aa=40b.co?=@example.com",
        "a%0d%0abcc:b@example.com",
        "a@exa\u2028mple.com",
    ],
    ids=ascii,
)
def test_address_that_would_be_more_than_one_is_refused(client, people, database, email):
    assert people.alice.id
    with nothing_written(database):
        newcomer = {"name": "New", "email": email, "password": PASSWORD}
        assert_refused(client.post("/auth/register", newcomer), 400, "validation_error", "/email")
        assert_refused(people.alice.patch("/users/me", {"email": email}), 400, "validation_error", "/email")


# Encoded words stand above; what is no Unicode reaches no field at all.
@pytest.mark.parametrize("name", [name for name in STRINGS if name != "encoded word" and "surrogate" not in name])
def test_whatever_is_accepted_is_one_subject_and_no_other_header(people, database, name):
    text = STRINGS[name]
    accepted = [way for way in WAYS if way(people.alice, text).status_code < 300]
    invite_everybody(people)
    for mail in mails(database):
        assert set(mail.keys()) == HEADERS
        assert len(mail.keys()) == len(HEADERS)
        assert "\n" not in mail["Subject"]
    # Blanks around it and between its words are what a header may lose.
    spoken = " ".join(without_links(text).split())
    about = [mail for mail in mails(database) if spoken and spoken in " ".join(mail["Subject"].split())]
    assert len(about) >= len(accepted) - (rename in accepted)


def kept(folder, kind):
    """Return the one mail of a kind that the worker has written."""
    (path,) = eventually(lambda: list(folder.glob(f"*-{kind}.eml")), within=30)
    return read_mail(path.read_bytes())


def test_title_goes_through_the_whole_system_as_it_is(tmp_path, database, database_url, redis_url):
    with Redis.from_url(redis_url) as redis:
        # The attacks before this one have left bells to ring for rows that are gone.
        redis.flushdb()
    folder = tmp_path / "mails"
    settings = {"EMAIL_PROVIDER": "mock", "EMAIL_MOCK_FOLDER": folder, "EMAIL_MOCK_DELAY": 0}
    with running(tmp_path, database_url=database_url, redis_url=redis_url, **settings) as stack:
        alice, bob = stack.register("Alice"), stack.register("Bob")
        alice.booking(TITLE, day=3)
        alice.organization(TITLE, bob)
        confirmed, invited = kept(folder, "BOOKING_CONFIRMATION"), kept(folder, "ORG_INVITE")
    assert confirmed["Subject"] == f"Booking confirmed: {TITLE}"
    assert invited["Subject"] == f"You have been added to {TITLE}"
    for mail in (confirmed, invited):
        assert set(mail.keys()) == HEADERS
        assert TITLE in " ".join(text_of(mail).split())
        page = mail.get_body(("html",)).get_content()
        assert "<script" not in page
        assert TITLE in " ".join(html.unescape(re.sub("<[^>]*>", "", page)).split())
