"""Schemas of schedules: weekly hours in a time zone, and dates with other hours."""

from datetime import date
from typing import Any

from marshmallow import ValidationError, fields, validates_schema
from marshmallow.validate import OneOf

from scheduling.availability.facts import DAYS
from scheduling.schemas.fields import Form, Input, Output, Several, StrictBoolean, Text, TimeZone

_TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_DATE = "20[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"


class Hours(Input):
    """Hours of a day in local time; they may end at 24:00."""

    start = Form(_TIME, "09:00", required=True)
    end = Form(f"{_TIME}|24:00", "17:00", required=True)

    @validates_schema
    def _end_is_after_start(self, data: dict[str, Any], **_: Any) -> None:
        if "start" in data and "end" in data and data["end"] <= data["start"]:
            raise ValidationError("The end must be after the start.", "end")


def are_different(members: list[Any]) -> None:
    """Raise ValidationError for a list with a duplicate."""
    if len(set(members)) < len(members):
        raise ValidationError("Give each member once.")


class WeeklyHours(Hours):
    """The same hours on some days of the week."""

    days = Several(fields.String(validate=OneOf(DAYS)), least=1, most=7, validate=[are_different], required=True)


def _is_date(text: str) -> None:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise ValidationError("Must be a date that exists.") from None


class DateHours(Input):
    """A date with other hours; without any it is a day off."""

    date = Form(_DATE, "2030-12-24", validate=_is_date, required=True)
    intervals = Several(fields.Nested(Hours), most=20, required=True)


def _are_different_dates(overrides: list[Any]) -> None:
    are_different([override["date"] for override in overrides])


class ScheduleChangeIn(Input):
    """The changes of a schedule."""

    name = Text(longest=100)
    time_zone = TimeZone()
    rules = Several(fields.Nested(WeeklyHours), most=50)
    overrides = Several(fields.Nested(DateHours), most=366, validate=[_are_different_dates])
    is_default = StrictBoolean()

    @validates_schema
    def _something_is_given(self, data: dict[str, Any], **_: Any) -> None:
        if not data:
            raise ValidationError("Give a name, a time_zone, rules, overrides, is_default or several of them.")


class ScheduleIn(Input):
    """A new schedule; the first one of a person is the default."""

    name = Text(longest=100, required=True)
    time_zone = TimeZone(required=True)
    rules = Several(fields.Nested(WeeklyHours), most=50, required=True)
    overrides = Several(fields.Nested(DateHours), most=366, validate=[_are_different_dates], load_default=list)
    is_default = StrictBoolean(load_default=False)


class ScheduleOut(Output):
    """A schedule."""

    id = fields.Integer(required=True)
    name = fields.String(required=True)
    time_zone = fields.String(required=True)
    is_default = fields.Boolean(required=True)
    rules = fields.List(fields.Nested(WeeklyHours), required=True)
    overrides = fields.List(fields.Nested(DateHours), required=True)
    version = fields.Integer(required=True)
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)


class ScheduleWrittenOut(Output):
    """A schedule after a write."""

    message = fields.String(required=True)
    schedule = fields.Nested(ScheduleOut, required=True)
