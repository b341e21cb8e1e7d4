"""Schemas of registration and sign-in."""

from marshmallow import fields

from scheduling.schemas.choices import PLATFORM_ROLES, one_of
from scheduling.schemas.fields import Email, Input, Output, Password, Text


class RegisterIn(Input):
    """A new person."""

    name = Text(longest=100, required=True)
    email = Email(required=True)
    password = Password(required=True)


class LoginIn(Input):
    """Credentials."""

    email = Email(required=True)
    password = Password(required=True)


class IdentityOut(Output):
    """The user of a token."""

    id = fields.Integer(required=True)
    name = fields.String(required=True)
    email = fields.String(required=True)
    role = one_of(PLATFORM_ROLES)


class SignedInOut(Output):
    """A new token and its user."""

    message = fields.String(required=True)
    token = fields.String(required=True)
    user = fields.Nested(IdentityOut, required=True)


class VerifiedOut(Output):
    """A valid token."""

    valid = fields.Boolean(required=True)
    user = fields.Nested(IdentityOut, required=True)
