"""Schemas of users and their profiles."""

from typing import Any

from marshmallow import ValidationError, fields, validates_schema

from scheduling.schemas.auth import IdentityOut
from scheduling.schemas.fields import Email, Input, Output, Password, Text


class ProfileIn(Input):
    """The changes of a profile."""

    name = Text(longest=100)
    email = Email()

    @validates_schema
    def _something_is_given(self, data: dict[str, Any], **_: Any) -> None:
        if not data:
            raise ValidationError("Give a name, an email or both.")


class PasswordChangeIn(Input):
    """The current password and the new one."""

    aliases = {"current_password": "currentPassword", "new_password": "newPassword"}  # noqa: RUF012

    current_password = Password(required=True, data_key="currentPassword")
    new_password = Password(required=True, data_key="newPassword")


class UserOut(IdentityOut):
    """A user."""

    created_at = fields.DateTime(required=True)


class ProfileChangedOut(Output):
    """A profile after its change."""

    message = fields.String(required=True)
    user = fields.Nested(UserOut, required=True)


class PasswordChangedOut(Output):
    """A new token, which replaces all earlier ones."""

    message = fields.String(required=True)
    token = fields.String(required=True)
