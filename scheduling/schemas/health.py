"""Schemas of health and readiness."""

from marshmallow import fields

from scheduling.schemas.fields import Output


class HealthOut(Output):
    """A running process."""

    status = fields.String(required=True, metadata={"enum": ["OK"]})
    uptime = fields.Float(required=True, metadata={"description": "Seconds."})
    timestamp = fields.DateTime(required=True)
    environment = fields.String(required=True)


class ChecksOut(Output):
    """The services that requests need; Redis is only reported."""

    database = fields.String(required=True)
    schema = fields.String(required=True)
    redis = fields.String(required=True)


class OutboxStateOut(Output):
    """How many e-mails are pending, since when, and how many have failed for good."""

    pending = fields.Integer(required=True)
    oldest_pending_seconds = fields.Float(required=True)
    dead = fields.Integer(required=True)
    superseded = fields.Integer(required=True)


class ReadinessOut(Output):
    """Whether the process can serve requests."""

    status = fields.String(required=True, metadata={"enum": ["ready", "unavailable"]})
    checks = fields.Nested(ChecksOut, required=True)
    outbox = fields.Nested(OutboxStateOut)
