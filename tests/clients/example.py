"""Register, book, page through the diary, meet a conflict, and book Ada as her guest.

The address of the API is the argument.
"""

import re
import sys
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from scheduling_api import AuthenticatedClient, Client, models
from scheduling_api.api.appointments import book_as_guest, list_slots
from scheduling_api.api.auth import register
from scheduling_api.api.bookings import create_booking, list_bookings
from scheduling_api.api.event_types import create_event_type
from scheduling_api.types import UNSET, Response

URL = sys.argv[1] if len(sys.argv) > 1 else "http://localhost:3000"
NOW = datetime.now(UTC)

guest = Client(URL)
person = models.RegisterIn("Ada", f"ada{NOW.timestamp()}@example.com", "correct horse")
registered = register.sync(client=guest, body=person)
assert isinstance(registered, models.SignedInOut), registered
ada = AuthenticatedClient(URL, registered.token)


def book(hours: int) -> Response[models.BookingWrittenOut | models.Problem]:
    start = NOW + timedelta(days=20, hours=hours)
    return create_booking.sync_detailed(
        client=ada, body=models.BookingIn("Talk", start, start + timedelta(hours=1), exclusive=True)
    )


for hours in range(3):
    made = book(hours)
    assert isinstance(made.parsed, models.BookingWrittenOut), made
    assert made.headers["Location"] == f"/api/v1/bookings/{made.parsed.booking.id}"
taken = book(1).parsed
assert isinstance(taken, models.Problem), taken
assert taken.code is models.ProblemCode.BOOKING_CONFLICT

pages: list[int] = []
cursor = None
while not pages or cursor:
    page = list_bookings.sync_detailed(client=ada, limit=2, cursor=cursor or UNSET)
    assert isinstance(page.parsed, list), page
    pages.append(len(page.parsed))
    following = re.search('<([^>]+)>; rel="next"', page.headers.get("Link", ""))
    cursor = following and parse_qs(urlsplit(following[1]).query)["cursor"][0]
assert pages == [2, 1], pages

offered = create_event_type.sync(client=ada, body=models.EventTypeIn("Half an hour with Ada", 30))
assert isinstance(offered, models.EventTypeWrittenOut), offered
uid = offered.event_type.uid
slots = list_slots.sync(uid, client=guest, from_=NOW + timedelta(days=1), to=NOW + timedelta(days=8))
assert isinstance(slots, models.SlotsOut), slots
body = models.AppointmentIn(slots.days[0].slots[0].start, "Gail", "gail@example.com", "America/New_York")
booked = book_as_guest.sync(uid, client=guest, body=body)
assert isinstance(booked, models.AppointmentMadeOut), booked
print(booked.message, booked.booking.start_time, booked.manage_token)
