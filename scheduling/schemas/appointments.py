"""Schemas of slots, holds and bookings by guests."""

from datetime import timedelta
from typing import Any

from marshmallow import ValidationError, fields, validates_schema
from marshmallow.validate import Length

from scheduling.availability.rules import Rule
from scheduling.schemas.bookings import GuestOut
from scheduling.schemas.choices import BOOKING_STATUSES, one_of
from scheduling.schemas.fields import Email, Input, Instant, Lines, Output, Text, TimeZone, WholeNumber
from scheduling.schemas.ids import LARGEST_ID

LONGEST_WINDOW = timedelta(days=62)
# Common times are computed for so many people at most.
LARGEST_GROUP = 200


class _Window(Input):
    """A period of at most 62 days."""

    starts = Instant(data_key="from", required=True)
    ends = Instant(data_key="to", required=True)
    time_zone = TimeZone(load_default="UTC")

    @validates_schema
    def _window_is_one(self, data: dict[str, Any], **_: Any) -> None:
        starts, ends = data.get("starts"), data.get("ends")
        if starts is None or ends is None:
            return
        if ends <= starts:
            raise ValidationError("Must be after from.", "to")
        if ends - starts > LONGEST_WINDOW:
            raise ValidationError("Must not be more than 62 days after from.", "to")


class SlotsQuery(_Window):
    """The period and the time zone of the slots."""


class StartQuery(Input):
    """The start to explain."""

    start = Instant(required=True)


class HoldIn(Input):
    """A time to hold."""

    start = Instant(required=True)


class AppointmentIn(Input):
    """A booking by a guest."""

    start = Instant(required=True)
    name = Text(longest=100, required=True)
    email = Email(required=True)
    time_zone = TimeZone(required=True)
    notes = Lines(longest=2000, load_default=None)
    hold = Text(longest=64, load_default=None)


class MoveIn(Input):
    """The new start of a booking by a guest."""

    start = Instant(required=True)


class CancellationIn(Input):
    """Why a booking is cancelled."""

    reason = Text(longest=500, load_default=None)


class CommonTimesIn(_Window):
    """The people whose common free times to find."""

    organization_id = WholeNumber(1, LARGEST_ID, load_default=None)
    user_ids = fields.List(WholeNumber(1, LARGEST_ID), load_default=None, validate=Length(1, 50))
    duration_minutes = WholeNumber(1, 1440, required=True)
    quorum = WholeNumber(1, LARGEST_GROUP, load_default=None)

    @validates_schema
    def _somebody_is_meant(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("organization_id") is None and data.get("user_ids") is None:
            raise ValidationError("Give user_ids, an organization_id or both.", "user_ids")


class SlotOut(Output):
    """A time that can be booked."""

    start = fields.DateTime(required=True)
    end = fields.DateTime(required=True)


class LocalSlotOut(SlotOut):
    """A time that can be booked, also in the local time of the zone."""

    local_start = fields.DateTime(required=True)


class SlotDayOut(Output):
    """The slots on a date."""

    date = fields.Date(required=True)
    slots = fields.List(fields.Nested(LocalSlotOut), required=True)


class SlotsOut(Output):
    """The slots, by the dates of a zone."""

    time_zone = fields.String(required=True)
    days = fields.List(fields.Nested(SlotDayOut), required=True)


class RuleOut(Output):
    """The verdict of a rule about a start."""

    code = fields.String(required=True, metadata={"enum": [rule.value for rule in Rule]})
    passed = fields.Boolean(required=True)
    detail = fields.String(required=True)
    until = fields.DateTime(required=True, allow_none=True)


class HostVerdictOut(Output):
    """The verdicts of all rules about a host."""

    user_id = fields.Integer(required=True)
    bookable = fields.Boolean(required=True)
    rules = fields.List(fields.Nested(RuleOut), required=True)


class ExplanationOut(Output):
    """Why a start can or cannot be booked."""

    bookable = fields.Boolean(required=True)
    hosts = fields.List(fields.Nested(HostVerdictOut), required=True)


class HoldOut(SlotOut):
    """A hold."""

    hold = fields.String(required=True)
    expires_at = fields.DateTime(required=True)


class GuestBookingOut(Output):
    """A booking, as its guest sees it."""

    uid = fields.String(required=True)
    event_type_uid = fields.String(required=True, allow_none=True)
    title = fields.String(required=True)
    start_time = fields.DateTime(required=True)
    end_time = fields.DateTime(required=True)
    status = one_of(BOOKING_STATUSES)
    guest = fields.Nested(GuestOut, required=True)
    version = fields.Integer(required=True)
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)


class AppointmentChangedOut(Output):
    """A booking by a guest after a change."""

    message = fields.String(required=True)
    booking = fields.Nested(GuestBookingOut, required=True)


class AppointmentMadeOut(AppointmentChangedOut):
    """A new booking, and the token that manages it."""

    manage_token = fields.String(required=True)


class CommonTimeOut(SlotOut):
    """A time at which people are free."""

    user_ids = fields.List(fields.Integer(), required=True)


class CommonTimesOut(Output):
    """The times at which people are free together."""

    time_zone = fields.String(required=True)
    times = fields.List(fields.Nested(CommonTimeOut), required=True)
