"""Manage organizations and their members."""

from functools import partial
from typing import Any

from flask import Response, g

from jobs import notifications
from scheduling.context import caller_id, outbox, reading, statement
from scheduling.errors import ApiError, not_found
from scheduling.http.blueprint import Blueprint
from scheduling.http.locations import created
from scheduling.http.paging import page
from scheduling.policies.access import authenticated
from scheduling.policies.declarations import refuses
from scheduling.policies.idempotency import idempotent
from scheduling.schemas.common import MessageOut, PageQuery
from scheduling.schemas.organizations import (
    MemberAddedOut,
    MemberIn,
    MemberOut,
    OrganizationIn,
    OrganizationOut,
    OrganizationsQuery,
    OrganizationWithMembersOut,
    OrganizationWrittenOut,
)
from sql.queries import Row, organizations

blueprint = Blueprint("organizations", __name__, url_prefix="/organizations", description="Teams and their members.")

_MEMBER_COLUMNS = ("membership_id", "role", "joined_at", "user_id", "name", "email")


@blueprint.post("")
@authenticated
@idempotent
@blueprint.arguments(OrganizationIn)
@blueprint.response(201, OrganizationWrittenOut)
def create_organization(organization: dict[str, Any]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Create an organization; its owner is its first admin."""
    with statement() as tx:
        written = organizations.insert_organization(tx, user_id=caller_id(), name=organization["name"])
    answer = {"message": "Organization created successfully", "organization": written}
    return answer, 201, created(f"/organizations/{written['id']}")


@blueprint.get("")
@authenticated
@blueprint.arguments(OrganizationsQuery, location="query")
@blueprint.response(200, OrganizationOut(many=True))
def list_organizations(query: dict[str, Any]) -> Response:
    """List the organizations that the caller owns or is a member of, newest first."""
    owned = query["membership"] == "owner"
    select = organizations.select_owned_organizations if owned else organizations.select_joined_organizations
    with reading() as tx:
        return page(query, partial(select, tx), key=("created_at", "id"), user_id=caller_id())


@blueprint.get("/<id:organization_id>")
@authenticated
@refuses("not_found")
@blueprint.response(200, OrganizationWithMembersOut)
def read_organization(organization_id: int) -> dict[str, Any]:
    """Return an organization with its members, for one of them."""
    with reading() as tx:
        organization = organizations.select_organization(tx, organization_id=organization_id, user_id=caller_id())
        if organization is None:
            raise not_found("Organization")
        members = organizations.select_members(
            tx, organization_id=organization_id, after_joined_at=None, after_id=None, limit=None
        )
    return {**organization, "members": members}


@blueprint.patch("/<id:organization_id>")
@authenticated
@refuses("forbidden", "not_found")
@blueprint.arguments(OrganizationIn)
@blueprint.response(200, OrganizationWrittenOut)
def rename_organization(changes: dict[str, Any], organization_id: int) -> dict[str, Any]:
    """Rename an organization, for its owner."""
    with statement() as tx:
        organization = organizations.rename_organization(
            tx, organization_id=organization_id, user_id=caller_id(), name=changes["name"]
        )
    _require_owner(organization)
    return {"message": "Organization updated successfully", "organization": organization}


@blueprint.delete("/<id:organization_id>")
@authenticated
@refuses("forbidden", "not_found")
@blueprint.response(200, MessageOut)
def delete_organization(organization_id: int) -> dict[str, Any]:
    """Delete an organization with its memberships, for its owner."""
    with statement() as tx:
        deleted = organizations.delete_organization(tx, organization_id=organization_id, user_id=caller_id())
    _require_owner(deleted)
    return {"message": "Organization deleted successfully"}


@blueprint.post("/<id:organization_id>/members")
@authenticated
@idempotent
@refuses("already_member", "forbidden", "not_found")
@blueprint.arguments(MemberIn)
@blueprint.response(201, MemberAddedOut)
def add_member(invitation: dict[str, Any], organization_id: int) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Add a registered user by address; an e-mail and a notification follow."""
    with statement() as tx:
        member = organizations.insert_member(
            tx,
            organization_id=organization_id,
            user_id=caller_id(),
            request_id=g.request_id,
            **invitation,
            **notifications.MEMBER_ADDED[invitation["role"]],
        )
        if member and member["email_id"] is not None:
            outbox.announce(tx, member["email_id"])
    if member is None:
        raise not_found("Organization")
    if not member["is_owner"]:
        raise _owner_only()
    if member["invited_id"] is None:
        raise not_found("User")
    if member["membership_id"] is None:
        raise ApiError(400, "already_member", "This person is already a member")
    answer = {"message": "Member added successfully", "member": {name: member[name] for name in _MEMBER_COLUMNS}}
    return answer, 201, created(f"/organizations/{organization_id}/members/{member['user_id']}")


@blueprint.get("/<id:organization_id>/members")
@authenticated
@refuses("not_found")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, MemberOut(many=True))
def list_members(query: dict[str, Any], organization_id: int) -> Response:
    """List the members of an organization, oldest first, for one of them."""
    with reading() as tx:
        if not organizations.select_organization(tx, organization_id=organization_id, user_id=caller_id()):
            raise not_found("Organization")
        return page(
            query,
            partial(organizations.select_members, tx),
            key=("joined_at", "membership_id"),
            organization_id=organization_id,
        )


@blueprint.delete("/<id:organization_id>/members/<id:member_id>")
@authenticated
@refuses("owner_stays", "forbidden", "not_found")
@blueprint.response(200, MessageOut)
def remove_member(organization_id: int, member_id: int) -> dict[str, Any]:
    """Remove a member: the owner removes anyone else, a member themselves."""
    with statement() as tx:
        removed = organizations.delete_member(
            tx, organization_id=organization_id, user_id=caller_id(), member_id=member_id
        )
    if removed is None:
        raise not_found("Member")
    if removed["refusal"] == "owner_stays":
        raise ApiError(400, "owner_stays", "The owner cannot leave; delete the organization instead")
    if removed["refusal"] == "forbidden":
        raise _owner_only()
    if removed["id"] is None:
        raise not_found("Member")
    return {"message": "Member removed successfully"}


def _require_owner(written: Row | None) -> None:
    """Raise ApiError unless the organization exists and is the caller's."""
    if written is not None and not written.pop("is_owner"):
        raise _owner_only()
    if written is None or written["id"] is None:
        raise not_found("Organization")


def _owner_only() -> ApiError:
    return ApiError(403, "forbidden", "Only the owner of the organization may do this")
