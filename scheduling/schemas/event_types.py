"""Schemas of event types: what others may book, how long, with which hosts and under which rules."""

from typing import Any

from marshmallow import ValidationError, fields, post_load, validates_schema
from marshmallow.validate import OneOf

from scheduling.schemas.choices import ASSIGNMENTS, one_of
from scheduling.schemas.common import PageQuery
from scheduling.schemas.fields import IdParameter, Input, Lines, Output, Several, StrictBoolean, Text, WholeNumber
from scheduling.schemas.ids import LARGEST_ID
from scheduling.schemas.schedules import are_different

SHORTEST_SLOT = 5
_DAY, _YEAR = 24 * 60, 366 * 24 * 60


def _hosts(**options: Any) -> Several:
    return Several(WholeNumber(1, LARGEST_ID), least=1, most=50, validate=[are_different], **options)


def _assignment(**options: Any) -> fields.String:
    return fields.String(validate=OneOf(ASSIGNMENTS), **options)


class _EventType(Input):
    @validates_schema
    def _assignment_fits_hosts(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("assignment") == "one" and len(data.get("hosts") or [0]) > 1:
            raise ValidationError('With the assignment "one" there is exactly one host.', "hosts")


class EventTypeIn(_EventType):
    """A new event type; without hosts, the caller is the host."""

    nullable = frozenset({"daily_limit", "schedule_id", "organization_id"})

    title = Text(longest=255, required=True)
    description = Lines(longest=2000, load_default="")
    duration_minutes = WholeNumber(1, _DAY, required=True)
    slot_minutes = WholeNumber(
        SHORTEST_SLOT, _DAY, metadata={"description": "How far apart starts lie; by default the duration."}
    )
    buffer_before_minutes = WholeNumber(0, _DAY, load_default=0)
    buffer_after_minutes = WholeNumber(0, _DAY, load_default=0)
    notice_minutes = WholeNumber(0, _YEAR, load_default=0)
    horizon_days = WholeNumber(1, 730, load_default=60)
    daily_limit = WholeNumber(1, _DAY, load_default=None)
    schedule_id = WholeNumber(1, LARGEST_ID, load_default=None)
    hosts = _hosts()
    assignment = _assignment(load_default="one")
    organization_id = WholeNumber(1, LARGEST_ID, load_default=None)
    is_active = StrictBoolean(load_default=True)

    @post_load
    def _slots_follow_each_other(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {"slot_minutes": max(SHORTEST_SLOT, data["duration_minutes"])} | data


class EventTypeChangeIn(_EventType):
    """The changes of an event type; null removes a limit or a schedule."""

    nullable = frozenset({"daily_limit", "schedule_id"})

    title = Text(longest=255)
    description = Lines(longest=2000)
    duration_minutes = WholeNumber(1, _DAY)
    slot_minutes = WholeNumber(SHORTEST_SLOT, _DAY)
    buffer_before_minutes = WholeNumber(0, _DAY)
    buffer_after_minutes = WholeNumber(0, _DAY)
    notice_minutes = WholeNumber(0, _YEAR)
    horizon_days = WholeNumber(1, 730)
    daily_limit = WholeNumber(1, _DAY)
    schedule_id = WholeNumber(1, LARGEST_ID)
    hosts = _hosts()
    assignment = _assignment()
    is_active = StrictBoolean()

    @validates_schema
    def _something_is_given(self, data: dict[str, Any], **_: Any) -> None:
        if not data:
            raise ValidationError("Give a title, a duration_minutes or another field that changes.")


class EventTypesQuery(PageQuery):
    """The event types to list: all, or those of one organization."""

    organization_id = IdParameter(load_default=None)


class PublicEventTypeOut(Output):
    """The public part of an event type."""

    uid = fields.String(required=True)
    title = fields.String(required=True)
    description = fields.String(required=True)
    duration_minutes = fields.Integer(required=True)


class EventTypeOut(PublicEventTypeOut):
    """An event type, as its managers and hosts see it."""

    id = fields.Integer(required=True)
    owner_id = fields.Integer(required=True)
    organization_id = fields.Integer(required=True, allow_none=True)
    slot_minutes = fields.Integer(required=True)
    buffer_before_minutes = fields.Integer(required=True)
    buffer_after_minutes = fields.Integer(required=True)
    notice_minutes = fields.Integer(required=True)
    horizon_days = fields.Integer(required=True)
    daily_limit = fields.Integer(required=True, allow_none=True)
    schedule_id = fields.Integer(required=True, allow_none=True)
    hosts = fields.List(fields.Integer(), required=True)
    assignment = one_of(ASSIGNMENTS)
    is_active = fields.Boolean(required=True)
    version = fields.Integer(required=True)
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)


class EventTypeWrittenOut(Output):
    """An event type after a write."""

    message = fields.String(required=True)
    event_type = fields.Nested(EventTypeOut, required=True)
