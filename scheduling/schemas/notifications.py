"""Schemas of notifications."""

from marshmallow import fields

from scheduling.schemas.choices import NOTIFICATION_TYPES, one_of
from scheduling.schemas.fields import Output


class NotificationOut(Output):
    """A notification."""

    id = fields.Integer(required=True)
    user_id = fields.Integer(required=True)
    type = one_of(NOTIFICATION_TYPES)
    title = fields.String(required=True)
    message = fields.String(required=True)
    is_read = fields.Boolean(required=True)
    metadata = fields.Dict(required=True)
    created_at = fields.DateTime(required=True)


class UnreadCountOut(Output):
    """How many notifications are unread."""

    unread = fields.Integer(required=True)


class AllReadOut(Output):
    """How many notifications were marked as read."""

    message = fields.String(required=True)
    updated = fields.Integer(required=True)


class NotificationReadOut(Output):
    """A notification that is read now."""

    message = fields.String(required=True)
    notification = fields.Nested(NotificationOut, required=True)
