"""What strangers write is no link and does not become one; what is none stays as it is."""

# ruff: noqa: RUF001 - letters that look alike are the point

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.mails.links import own_name, tame, without_links
from tests.jobs.mails.addresses_in_text import LINKS, PLAIN, like_links


@pytest.mark.parametrize("text", LINKS, ids=ascii)
def test_what_a_mail_program_would_make_a_link_is_none_afterwards(text):
    assert like_links(text)
    for around in ("{}", "Win at {}", "{} now", "Win,{};now", "a\u200b{}\u200bb"):
        assert like_links(without_links(around.format(text))) == []


@pytest.mark.parametrize("text", PLAIN, ids=ascii)
def test_what_is_no_link_stays_as_it_is(text):
    assert like_links(text) == []
    assert without_links(text) == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Win at https://evil.example/x", "Win at https: / /evil. example/x"),
        ("Node.js meetup", "Node. js meetup"),
        ("Ask win@evil.example", "Ask win@ evil. example"),
        ("Call 1.2.3.4", "Call 1. 2. 3. 4"),
        ("明日。会議", "明日。 会議"),
        ("\u202emoc.live\u202c", "moc. live"),
    ],
)
def test_every_word_can_still_be_read(text, told):
    assert without_links(text) == told


@given(st.text(st.sampled_from("ab1./\\:@。．： \u200b\u202e-w)")))
def test_no_text_is_a_link_and_twice_is_once(text):
    told = without_links(text)
    assert like_links(told) == []
    assert without_links(told) == told
    assert [letter for letter in told if letter not in " \u202e"] == [
        letter for letter in text if letter not in " \u202e"
    ]


def test_every_text_but_our_own_is_tamed_however_deep_it_lies():
    url = "http://evil.example"
    data = {
        "title": url,
        "guest": {"name": url, "email": "a@b.example"},
        "hosts": [{"name": url}],
        "new": [url],
        "n": 7,
    }
    told = without_links(url)
    assert tame(data) == {
        "title": told,
        "guest": {"name": told, "email": "a@b.example"},
        "hosts": [{"name": told}],
        "new": [told],
        "n": 7,
    }
    ours = {"start_time": "2027-01-04T09:00:00+00:00", "time_zone": "Etc/GMT+5", "manage_token": "a:b", "uid": "a:b"}
    assert tame(ours) == ours


@pytest.mark.parametrize(
    ("name", "greeted"),
    [("Gwen", "Gwen"), ("Dr. Zoë O'Hara", "Dr. Zoë O'Hara"), (" Gwen\n", "Gwen"), ("x" * 40, "x" * 40), ("x" * 41, "")]
    + [(link, "") for link in LINKS],
)
def test_nobody_is_greeted_by_a_link(name, greeted):
    assert own_name(name) == greeted
