"""Schemas of bookings: half-open intervals with a title."""

from datetime import timedelta
from typing import Any

from marshmallow import ValidationError, fields, validates_schema
from marshmallow.validate import OneOf

from scheduling.schemas.choices import ASSIGNMENTS, BOOKING_STATUSES, MAIL_KINDS, MAIL_STATUSES, one_of
from scheduling.schemas.common import PageQuery
from scheduling.schemas.fields import Input, Instant, Output, StrictBoolean, Text

LONGEST = timedelta(days=366)


class _Interval(Input):
    aliases = {"start_time": "start", "end_time": "end"}  # noqa: RUF012

    @validates_schema
    def _interval_is_one(self, data: dict[str, Any], **_: Any) -> None:
        start, end = data.get("start_time"), data.get("end_time")
        if start is None or end is None:
            return
        if end <= start:
            raise ValidationError("The end must be after the start.", "end")
        if end - start > LONGEST:
            raise ValidationError("A booking lasts at most 366 days.", "end")


class BookingIn(_Interval):
    """A new booking."""

    title = Text(longest=255, required=True)
    start_time = Instant(required=True, data_key="start")
    end_time = Instant(required=True, data_key="end")
    exclusive = StrictBoolean(
        load_default=False,
        metadata={"description": "Guaranteed to overlap no other booking when it is made; otherwise refused."},
    )


class BookingChangeIn(_Interval):
    """What changes in a booking."""

    title = Text(longest=255)
    start_time = Instant(data_key="start")
    end_time = Instant(data_key="end")

    @validates_schema
    def _something_is_given(self, data: dict[str, Any], **_: Any) -> None:
        if not data:
            raise ValidationError("Give a title, a start, an end or several of them.")


class BookingsQuery(PageQuery):
    """Which bookings."""

    status = fields.String(validate=OneOf(BOOKING_STATUSES), load_default=None)
    overlaps_from = Instant(data_key="from", load_default=None)
    overlaps_to = Instant(data_key="to", load_default=None)

    @validates_schema
    def _window_is_one(self, data: dict[str, Any], **_: Any) -> None:
        start, end = data.get("overlaps_from"), data.get("overlaps_to")
        if start is not None and end is not None and end <= start:
            raise ValidationError("Must be after from.", "to")


class GuestOut(Output):
    """The guest of a booking."""

    name = fields.String(required=True)
    email = fields.String(required=True)
    time_zone = fields.String(required=True)
    notes = fields.String(required=True, allow_none=True)


class PassedOverOut(Output):
    """A host who was not chosen, and why."""

    user_id = fields.Integer(required=True)
    reason = fields.String(required=True)


class AssignmentOut(Output):
    """How the hosts of a booking were chosen."""

    mode = one_of(ASSIGNMENTS)
    chosen = fields.List(fields.Integer(), required=True)
    passed_over = fields.List(fields.Nested(PassedOverOut), required=True)


class BookingOut(Output):
    """A booking."""

    id = fields.Integer(required=True)
    user_id = fields.Integer(required=True)
    title = fields.String(required=True)
    start_time = fields.DateTime(required=True)
    end_time = fields.DateTime(required=True)
    status = one_of(BOOKING_STATUSES)
    exclusive = fields.Boolean(required=True)
    version = fields.Integer(required=True)
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)
    uid = fields.String(required=True, allow_none=True, metadata={"description": "Only of a booking by a guest."})
    event_type_uid = fields.String(required=True, allow_none=True)
    guest = fields.Nested(GuestOut, required=True, allow_none=True)
    hosts = fields.List(fields.Integer(), required=True)
    assignment = fields.Nested(AssignmentOut, required=True, allow_none=True)


class BookingCancelledOut(Output):
    """A booking after its cancellation."""

    message = fields.String(required=True)
    booking = fields.Nested(BookingOut, required=True)


class BookingWrittenOut(BookingCancelledOut):
    """A booking after a write, with the ids of confirmed bookings that it overlaps."""

    conflicts = fields.List(fields.Integer(), required=True)


class DeliveryOut(Output):
    """An e-mail about a booking, and the state of its delivery."""

    id = fields.Integer(required=True)
    kind = one_of(MAIL_KINDS)
    recipient = fields.String(required=True)
    status = one_of(MAIL_STATUSES)
    attempts = fields.Integer(required=True)
    last_error = fields.String(required=True, allow_none=True)
    created_at = fields.DateTime(required=True)
    next_attempt_at = fields.DateTime(required=True, allow_none=True)
    sent_at = fields.DateTime(required=True, allow_none=True)
