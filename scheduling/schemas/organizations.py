"""Schemas of organizations and their members."""

from marshmallow import fields
from marshmallow.validate import OneOf

from scheduling.schemas.choices import MEMBER_ROLES, MEMBERSHIPS, one_of
from scheduling.schemas.common import PageQuery
from scheduling.schemas.fields import Email, Input, Output, Text


class OrganizationIn(Input):
    """The name of an organization."""

    name = Text(longest=100, required=True)


class OrganizationsQuery(PageQuery):
    """The organizations to list: owned ones, or all that the caller is a member of."""

    membership = fields.String(validate=OneOf(MEMBERSHIPS), load_default="owner")


class MemberIn(Input):
    """A new member, by address."""

    email = Email(required=True)
    role = fields.String(validate=OneOf(MEMBER_ROLES), load_default="member")


class OrganizationOut(Output):
    """An organization."""

    id = fields.Integer(required=True)
    name = fields.String(required=True)
    owner_id = fields.Integer(required=True)
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)


class MemberOut(Output):
    """A member of an organization."""

    membership_id = fields.Integer(required=True)
    role = one_of(MEMBER_ROLES)
    joined_at = fields.DateTime(required=True)
    user_id = fields.Integer(required=True)
    name = fields.String(required=True)
    email = fields.String(required=True)


class OrganizationWithMembersOut(OrganizationOut):
    """An organization and all its members."""

    members = fields.List(fields.Nested(MemberOut), required=True)


class OrganizationWrittenOut(Output):
    """An organization after a write."""

    message = fields.String(required=True)
    organization = fields.Nested(OrganizationOut, required=True)


class MemberAddedOut(Output):
    """A member who just joined."""

    message = fields.String(required=True)
    member = fields.Nested(MemberOut, required=True)
