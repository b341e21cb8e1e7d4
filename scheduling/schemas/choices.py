"""List the allowed values of each enumeration; tests compare the database and the document with it."""

from marshmallow import fields

from jobs.kinds import KINDS

PLATFORM_ROLES = ("member", "admin")
MEMBER_ROLES = ("member", "admin")
MEMBERSHIPS = ("owner", "member")
BOOKING_STATUSES = ("confirmed", "cancelled")
ASSIGNMENTS = ("one", "any", "all")
NOTIFICATION_TYPES = (
    "BOOKING_CONFIRMED",
    "BOOKING_MOVED",
    "BOOKING_RENAMED",
    "BOOKING_CANCELLED",
    "ORG_INVITE",
)
MAIL_KINDS = tuple(sorted(KINDS))
MAIL_STATUSES = ("pending", "sent", "dead", "superseded")


def one_of(words: tuple[str, ...]) -> fields.String:
    """Return the field of an answer with one of these values."""
    return fields.String(required=True, metadata={"enum": list(words)})
