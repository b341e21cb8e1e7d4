"""Schemas of events and statistics."""

from typing import Any

import orjson
from marshmallow import ValidationError, fields

from scheduling.schemas.common import PageQuery
from scheduling.schemas.fields import Input, JsonObject, Number, Output, Text

_METADATA_BYTES = 8 * 1024


def _is_small(metadata: dict[str, Any]) -> None:
    if len(orjson.dumps(metadata)) > _METADATA_BYTES:
        raise ValidationError("Must have at most 8 KiB as JSON.")


class EventIn(Input):
    """Something that happened."""

    aliases = {"event_type": "eventType"}  # noqa: RUF012

    event_type = Text(longest=100, required=True, data_key="eventType")
    metadata = JsonObject(load_default=dict, validate=_is_small)


class DashboardQuery(Input):
    """How far to look back, in days."""

    days = Number(1, 366, load_default=30)


class EventsQuery(PageQuery):
    """Which raw events."""

    type = fields.String(load_default=None)


class LoggedOut(Output):
    """The event that was logged."""

    id = fields.Integer(required=True)
    event_type = fields.String(required=True)


class EventLoggedOut(Output):
    """An event after it was logged."""

    message = fields.String(required=True)
    event = fields.Nested(LoggedOut, required=True)


class OverviewOut(Output):
    """All events of a period."""

    total_events = fields.Integer(required=True)
    unique_users = fields.Integer(required=True)
    event_types = fields.Integer(required=True)


class BreakdownOut(Output):
    """The events of one type in a period."""

    event_type = fields.String(required=True)
    count = fields.Integer(required=True)
    unique_users = fields.Integer(required=True)
    first_event = fields.DateTime(required=True)
    last_event = fields.DateTime(required=True)


class DashboardOut(Output):
    """The statistics of a period."""

    period = fields.String(required=True)
    overview = fields.Nested(OverviewOut, required=True)
    breakdown = fields.List(fields.Nested(BreakdownOut), required=True)


class EventOut(Output):
    """A raw event with who caused it."""

    id = fields.Integer(required=True)
    user_id = fields.Integer(required=True, allow_none=True)
    event_type = fields.String(required=True)
    metadata = fields.Dict(required=True)
    created_at = fields.DateTime(required=True)
    user_name = fields.String(required=True, allow_none=True)
    user_email = fields.String(required=True, allow_none=True)
