"""Schemas that several areas share."""

from marshmallow import fields

from scheduling.availability.rules import Rule
from scheduling.problems import CODES
from scheduling.schemas.fields import Input, Number, Output

DEFAULT_LIMIT, LARGEST_LIMIT = 100, 500


class PageQuery(Input):
    """The page of a list."""

    limit = Number(1, LARGEST_LIMIT, load_default=DEFAULT_LIMIT)
    cursor = fields.String(load_default=None, metadata={"description": "Opaque; taken from the Link header."})


class MessageOut(Output):
    """An answer with a message only."""

    message = fields.String(required=True)


class FaultOut(Output):
    """An invalid field of the body, parameter of the query, or header."""

    pointer = fields.String(metadata={"description": "Of a field: a JSON pointer (RFC 6901) into the body."})
    parameter = fields.String(metadata={"description": "Of a query: the name of the parameter."})
    header = fields.String(metadata={"description": "The name of the header."})
    detail = fields.String(required=True)


class FailedRuleOut(Output):
    """A rule that refuses a start."""

    code = fields.String(required=True, metadata={"enum": [rule.value for rule in Rule]})
    detail = fields.String(required=True)


class FreeSlotOut(Output):
    """A time that can be booked instead."""

    start = fields.DateTime(required=True)
    end = fields.DateTime(required=True)


class ProblemOut(Output):
    """A refusal (RFC 9457)."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    error = fields.String(required=True, metadata={"description": "The same sentence as detail."})
    code = fields.String(required=True, metadata={"description": "Stable, for machines.", "enum": list(CODES)})
    request_id = fields.String(required=True, allow_none=True)
    errors = fields.List(fields.Nested(FaultOut))
    conflicts = fields.List(fields.Integer())
    rules = fields.List(fields.Nested(FailedRuleOut), metadata={"description": "Of not_bookable and slot_taken."})
    slots = fields.List(
        fields.Nested(FreeSlotOut), metadata={"description": "Of slot_taken: the nearest that are free."}
    )
    path = fields.String()
    method = fields.String()
