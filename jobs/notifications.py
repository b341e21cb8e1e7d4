"""The sentences of notifications, beside the templates of the mails that say the same.

A statement is given them as parameters and fills them in with PostgreSQL's `format`. `%1$s` is the title of what a
notification is about, `%2$s` its start as `utc_text` writes it, `%3$s` the name of the guest.
"""

from typing import TypedDict


class Wording(TypedDict):
    """The parameters of a statement that say how its notification reads."""

    notification_title: str
    notification_message: str


BOOKING_CONFIRMED = Wording(
    notification_title='Booking "%1$s" confirmed',
    notification_message='Your booking "%1$s" is confirmed for %2$s.',
)
BOOKING_RESTORED = Wording(
    notification_title='Booking "%1$s" confirmed',
    notification_message='Your booking "%1$s" is confirmed again for %2$s.',
)
BOOKING_CANCELLED = Wording(
    notification_title='Booking "%1$s" cancelled',
    notification_message='Your booking "%1$s" on %2$s was cancelled.',
)
APPOINTMENT_CONFIRMED = Wording(
    notification_title='Booking "%1$s" confirmed',
    notification_message='%3$s booked "%1$s" with you for %2$s.',
)
APPOINTMENT_MOVED = Wording(
    notification_title='Booking "%1$s" moved',
    notification_message='Your booking "%1$s" was moved to %2$s.',
)
APPOINTMENT_RENAMED = Wording(
    notification_title='Booking "%1$s" renamed',
    notification_message='Your booking on %2$s is now called "%1$s".',
)
# By the role in the organization; `%1$s` is its name.
MEMBER_ADDED = {
    role: Wording(
        notification_title='You\'ve been added to "%1$s"',
        notification_message=f'You are now {noun} of "%1$s".',
    )
    for role, noun in {"member": "a member", "admin": "an admin"}.items()
}
