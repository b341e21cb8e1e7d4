"""Registering and signing in."""

from marshmallow import Schema, fields

from scheduling.schemas.fields import Email, Input, Password, Text


class RegisterIn(Input):
    """A new person."""

    name = Text(longest=100, required=True)
    email = Email(required=True)
    password = Password(required=True)


class LoginIn(Input):
    """Credentials."""

    email = Email(required=True)
    password = Password(required=True)


class IdentityOut(Schema):
    """Who a token stands for."""

    id = fields.Integer(required=True)
    name = fields.String(required=True)
    email = fields.String(required=True)
    role = fields.String(required=True, metadata={"enum": ["member", "admin"]})


class SignedInOut(Schema):
    """A token and whose it is."""

    message = fields.String(required=True)
    token = fields.String(required=True)
    user = fields.Nested(IdentityOut, required=True)


class VerifiedOut(Schema):
    """A token that counts."""

    valid = fields.Boolean(required=True)
    user = fields.Nested(IdentityOut, required=True)
