"""How notifications read, to the letter."""

import pytest

from tests.people import time_on

TITLE = 'Plan "100 %s" %1$s \\ {{ title }}'


@pytest.fixture
def alice(people):
    return people.alice


def last(person):
    """Return title and message of the newest notification."""
    notification = person.get("/notifications?limit=1").json[0]
    return notification["title"], notification["message"]


def test_booking_is_told_when_it_is_made_cancelled_and_made_again(alice):
    text = f"{time_on(day=1):%Y-%m-%d %H:%M} UTC"
    booking = alice.booking(TITLE, day=1)["id"]
    assert last(alice) == (f'Booking "{TITLE}" confirmed', f'Your booking "{TITLE}" is confirmed for {text}.')
    alice.delete(f"/bookings/{booking}")
    assert last(alice) == (f'Booking "{TITLE}" cancelled', f'Your booking "{TITLE}" on {text} was cancelled.')
    alice.post(f"/bookings/{booking}/restore")
    assert last(alice) == (f'Booking "{TITLE}" confirmed', f'Your booking "{TITLE}" is confirmed again for {text}.')


@pytest.mark.parametrize(("role", "noun"), [("member", "a member"), ("admin", "an admin")])
def test_new_member_is_told_of_the_role(people, role, noun):
    organization = people.alice.organization(TITLE)
    people.alice.post(f"/organizations/{organization}/members", {"email": people.bob.email, "role": role})
    assert last(people.bob) == (f'You\'ve been added to "{TITLE}"', f'You are now {noun} of "{TITLE}".')
