"""A name shows something: what is blank to the eye is blank."""

import pytest

from scheduling.schemas.visible_text import is_visible
from tests.people import time_on
from tests.scheduling.answers import assert_refused, nothing_written
from tests.scheduling.appointments.guests import book, guest

# Unicode's Default_Ignorable_Code_Point, from DerivedCoreProperties.txt.
IGNORABLE = (
    *((0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F)),
    *((0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF)),
    *((0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF)),
)
SPACES = "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\u00a0\u1680\u180e\u2000\u2005\u200a\u2028\u2029\u202f\u205f\u3000"
INVISIBLE = {
    "nothing": "",
    "zero width space": "\u200b",
    "word joiner": "\u2060",
    "soft hyphen": "\u00ad",
    "byte order mark": "\ufeff",
    "joiners alone": "\u200d\u200c\u200d",
    "tags": "\U000e0001\U000e0041\U000e007f",
    "variation selectors": "\ufe0e\ufe0f\U000e0100",
    "Hangul fillers": "\u3164\u115f\u1160\uffa0",
    "braille blank": "\u2800\u2800",
    "combining marks": "\u0301\u0327\u20dd",
    "vowel signs": "\u093e\u0e34",
    "direction marks": "\u200e\u200f\u202e\u2066\u2069",
    "invisible operators": "\u2061\u2062\u2063\u2064",
    "musical blank": "\U0001d159",
    "object that is not there": "\ufffc",
    "no-break spaces": "\u00a0\u202f\u2007\u3000",
    "all of it": "\u200b \u2060\u3164\u2800\u0301\ufe0f\u00ad",
}
VISIBLE = {
    "letter": "a",
    "letter behind what shows nothing": "\u200b\u2060a",
    "family": "👨\u200d👩\u200d👧\u200d👦",
    "emoji with a selector": "\u2764\ufe0f",
    "flag of tags": "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "keycap": "1\ufe0f\u20e3",
    "Persian": "می\u200cخواهم",  # noqa: RUF001
    "Hindi": "क्\u200dष",
    "Sinhala": "ශ්\u200dරී",
    "Thai": "กี่",
    "Hangul": "김",
    "Hangul letters": "ㄱㅏ",
    "decomposed": "e\u0301",
    "braille": "\u2801",
    "Hebrew with marks": "שָׁלוֹם",
    "private": "\uf8ff",
    "sign": "!",
    "replacement": "\ufffd",
}


@pytest.mark.parametrize("text", INVISIBLE.values(), ids=INVISIBLE)
def test_text_that_shows_nothing_is_blank(text):
    assert not is_visible(text)


@pytest.mark.parametrize("text", VISIBLE.values(), ids=VISIBLE)
def test_text_that_shows_something_is_not(text):
    assert is_visible(text)


def test_no_character_that_unicode_lets_programs_ignore_shows():
    ignorable = [chr(number) for first, last in IGNORABLE for number in range(first, last + 1)]
    assert len(ignorable) > 4_100
    assert [character for character in [*ignorable, *SPACES] if is_visible(character)] == []


def test_every_printable_ascii_character_shows_but_the_space():
    assert [character for character in map(chr, range(128)) if is_visible(character)] == list(map(chr, range(33, 127)))


@pytest.mark.parametrize("text", [text for text in INVISIBLE.values() if text], ids=list(INVISIBLE)[1:])
def test_no_name_or_title_is_blank_to_the_eye(client, people, database, text):
    alice, link = people.alice, people.alice.event_type_uid()
    organization, booking = alice.organization(), alice.booking()
    ask_as_guest = guest(client, book(client, link, time_on(3, 10)))
    schedule = {"name": text, "time_zone": "UTC", "rules": []}
    span = {"start": time_on(5).isoformat(), "end": time_on(6).isoformat()}
    with nothing_written(database):
        for answer, fault in (
            (client.post("/auth/register", {"name": text, "email": "d@example.com", "password": "x" * 9}), "/name"),
            (alice.patch("/users/me", {"name": text}), "/name"),
            (alice.post("/bookings", {"title": text} | span), "/title"),
            (alice.patch(f"/bookings/{booking['id']}", {"title": text}), "/title"),
            (alice.post("/organizations", {"name": text}), "/name"),
            (alice.patch(f"/organizations/{organization}", {"name": text}), "/name"),
            (alice.post("/schedules", schedule), "/name"),
            (alice.post("/event-types", {"title": text, "duration_minutes": 30}), "/title"),
            (alice.patch(f"/event-types/{link}", {"title": text}), "/title"),
            (alice.post("/analytics/event", {"eventType": text}), "/eventType"),
            (book(client, link, time_on(3, 12), name=text), "/name"),
            (ask_as_guest("DELETE", {"reason": text}), "/reason"),
        ):
            assert_refused(answer, 400, "validation_error", fault)


@pytest.mark.parametrize("text", VISIBLE.values(), ids=VISIBLE)
def test_joiners_and_marks_inside_of_a_name_stay(people, text):
    assert people.alice.patch("/users/me", {"name": text}).json["user"]["name"] == text
