"""Manage event types: what others may book, of one person or of an organization."""

import secrets
from functools import partial
from typing import Any

import orjson
from flask import Response, g

from scheduling.context import caller_id, reading, statement
from scheduling.errors import ApiError, changed_meanwhile, invalid, not_found
from scheduling.http.blueprint import Blueprint
from scheduling.http.etags import expected_versions, matches_none, not_modified, tagged
from scheduling.http.locations import created
from scheduling.http.paging import page
from scheduling.policies.access import authenticated, optionally_authenticated
from scheduling.policies.declarations import carries_etag, conditional, refuses
from scheduling.policies.idempotency import idempotent
from scheduling.schemas.common import MessageOut
from scheduling.schemas.event_types import (
    EventTypeChangeIn,
    EventTypeIn,
    EventTypeOut,
    EventTypesQuery,
    EventTypeWrittenOut,
    PublicEventTypeOut,
)
from sql.queries import Row, event_types

blueprint = Blueprint("event_types", __name__, url_prefix="/event-types", description="What others may book.")

_PUBLIC = ("uid", "title", "description", "duration_minutes")
_INVALID_HOSTS = {
    "too_many_hosts": 'With the assignment "one" there is exactly one host',
    "host_is_not_owner": "Without an organization the owner is the only host",
    "host_is_no_member": "Every host must be a member of the organization",
}
_ABSENT = {"organization_not_found": "Organization", "schedule_not_found": "Schedule"}


@blueprint.post("")
@authenticated
@idempotent
@carries_etag
@refuses("forbidden", "not_found")
@blueprint.arguments(EventTypeIn)
@blueprint.response(201, EventTypeWrittenOut)
def create_event_type(event_type: dict[str, Any]) -> tuple[Response, int, dict[str, str]]:
    """Create an event type: for oneself or, as an admin, for an organization."""
    hosts = sorted(event_type.pop("hosts", [caller_id()]))
    with statement() as tx:
        written = event_types.insert_event_type(
            tx, user_id=caller_id(), uid=secrets.token_urlsafe(16), hosts=hosts, **event_type
        )
    location = created(f"/event-types/{_raise_if_refused(written)['uid']}")
    return _answer("Event type created successfully", written), 201, location


@blueprint.get("")
@authenticated
@blueprint.arguments(EventTypesQuery, location="query")
@blueprint.response(200, EventTypeOut(many=True))
def list_event_types(query: dict[str, Any]) -> Response:
    """List the event types that the caller manages or hosts, newest first."""
    with reading() as tx:
        return page(
            query,
            partial(event_types.select_event_types, tx),
            key=("id",),
            user_id=caller_id(),
            organization_id=query["organization_id"],
        )


@blueprint.get("/<uid:event_type_uid>")
@optionally_authenticated
@carries_etag
@conditional
@refuses("not_found")
@blueprint.response(200, {"anyOf": [EventTypeOut, PublicEventTypeOut]})
def read_event_type(event_type_uid: str) -> Response | dict[str, Any]:
    """Return an event type: all of it to its managers and hosts, the public part to everybody else."""
    with reading() as tx:
        event_type = event_types.select_event_type(
            tx,
            uid=event_type_uid,
            user_id=g.token and g.token.user_id,
            issued_at=g.token and g.token.issued_at,
            token_id=g.token and g.token.token_id,
        )
    if event_type is None:
        raise not_found("Event type")
    if not event_type.pop("sees_all"):
        return {name: event_type[name] for name in _PUBLIC}
    if matches_none(event_type, by="uid"):
        return tagged(event_type, event_type, by="uid")
    return not_modified(event_type, by="uid")


@blueprint.patch("/<uid:event_type_uid>")
@authenticated
@carries_etag
@conditional
@refuses("forbidden", "not_found")
@blueprint.arguments(EventTypeChangeIn)
@blueprint.response(200, EventTypeWrittenOut)
def change_event_type(changes: dict[str, Any], event_type_uid: str) -> Response:
    """Change an event type, for those who manage it; bookings stay as they are."""
    hosts = changes.pop("hosts", None)
    with statement() as tx:
        changed = event_types.change_event_type(
            tx,
            uid=event_type_uid,
            user_id=caller_id(),
            changes=orjson.dumps(changes).decode(),
            hosts=hosts and sorted(hosts),
            versions=expected_versions(event_type_uid),
        )
    return _answer("Event type updated successfully", _raise_if_refused(changed))


@blueprint.delete("/<uid:event_type_uid>")
@authenticated
@conditional
@refuses("forbidden", "not_found")
@blueprint.response(200, MessageOut)
def delete_event_type(event_type_uid: str) -> dict[str, Any]:
    """Delete an event type, for those who manage it; bookings stay."""
    with statement() as tx:
        deleted = event_types.delete_event_type(
            tx, uid=event_type_uid, user_id=caller_id(), versions=expected_versions(event_type_uid)
        )
    _raise_if_refused(deleted)
    return {"message": "Event type deleted successfully"}


def _raise_if_refused(event_type: Row | None) -> Row:
    """Return the event type; raise ApiError when the write was refused."""
    if event_type is None:
        raise not_found("Event type")
    refusal = event_type.pop("refusal")
    if refusal in _INVALID_HOSTS:
        raise invalid("/hosts", _INVALID_HOSTS[refusal])
    if refusal in _ABSENT:
        raise not_found(_ABSENT[refusal])
    if refusal == "precondition_failed":
        raise changed_meanwhile("event type")
    if refusal is not None:
        raise ApiError(403, "forbidden", "Only those who manage the event type may do this")
    return event_type


def _answer(message: str, event_type: Row) -> Response:
    return tagged(event_type, {"message": message, "event_type": event_type}, by="uid")
