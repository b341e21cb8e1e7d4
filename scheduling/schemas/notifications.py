"""Notifications."""

from marshmallow import Schema, fields


class NotificationOut(Schema):
    """Something a person was told."""

    id = fields.Integer(required=True)
    user_id = fields.Integer(required=True)
    type = fields.String(
        required=True,
        metadata={"enum": ["BOOKING_CONFIRMED", "BOOKING_MOVED", "BOOKING_RENAMED", "BOOKING_CANCELLED", "ORG_INVITE"]},
    )
    title = fields.String(required=True)
    message = fields.String(required=True)
    is_read = fields.Boolean(required=True)
    metadata = fields.Dict(required=True)
    created_at = fields.DateTime(required=True)


class UnreadCountOut(Schema):
    """How many notifications are unread."""

    unread = fields.Integer(required=True)


class AllReadOut(Schema):
    """How many notifications were marked as read."""

    message = fields.String(required=True)
    updated = fields.Integer(required=True)


class NotificationReadOut(Schema):
    """A notification that is read now."""

    message = fields.String(required=True)
    notification = fields.Nested(NotificationOut, required=True)
