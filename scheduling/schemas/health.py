"""How the process is."""

from marshmallow import fields

from scheduling.schemas.fields import Output


class HealthOut(Output):
    """A process that lives."""

    status = fields.String(required=True, metadata={"enum": ["OK"]})
    uptime = fields.Float(required=True, metadata={"description": "Seconds."})
    timestamp = fields.DateTime(required=True)
    environment = fields.String(required=True)


class ChecksOut(Output):
    """What a request would need; Redis is only reported."""

    database = fields.String(required=True)
    schema = fields.String(required=True)
    redis = fields.String(required=True)


class OutboxStateOut(Output):
    """How much waits, since when, and how much has failed for good."""

    pending = fields.Integer(required=True)
    oldest_pending_seconds = fields.Float(required=True)
    dead = fields.Integer(required=True)
    superseded = fields.Integer(required=True)


class ReadinessOut(Output):
    """Whether requests can be served."""

    status = fields.String(required=True, metadata={"enum": ["ready", "unavailable"]})
    checks = fields.Nested(ChecksOut, required=True)
    outbox = fields.Nested(OutboxStateOut)
