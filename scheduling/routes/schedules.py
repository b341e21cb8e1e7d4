"""Manage schedules: weekly hours, and dates with other hours."""

from functools import partial
from typing import Any

import orjson
from flask import Response

from scheduling.context import caller_id, reading, statement
from scheduling.errors import changed_meanwhile, not_found
from scheduling.http.blueprint import Blueprint
from scheduling.http.etags import expected_versions, matches_none, not_modified, tagged
from scheduling.http.locations import created
from scheduling.http.paging import page
from scheduling.policies.access import authenticated
from scheduling.policies.declarations import carries_etag, conditional, refuses
from scheduling.policies.idempotency import idempotent
from scheduling.schemas.common import MessageOut, PageQuery
from scheduling.schemas.schedules import ScheduleChangeIn, ScheduleIn, ScheduleOut, ScheduleWrittenOut
from sql.queries import Row, schedules

blueprint = Blueprint("schedules", __name__, url_prefix="/schedules", description="When one can be booked.")

_COLUMNS = ("name", "time_zone", "rules", "overrides", "is_default")


@blueprint.post("")
@authenticated
@idempotent
@carries_etag
@blueprint.arguments(ScheduleIn)
@blueprint.response(201, ScheduleWrittenOut)
def create_schedule(schedule: dict[str, Any]) -> tuple[Response, int, dict[str, str]]:
    """Create a schedule; the first one is the default."""
    with statement() as tx:
        written = schedules.insert_schedule(tx, user_id=caller_id(), **_columns(schedule))
    location = created(f"/schedules/{written['id']}")
    return _answer("Schedule created successfully", written), 201, location


@blueprint.get("")
@authenticated
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, ScheduleOut(many=True))
def list_schedules(query: dict[str, Any]) -> Response:
    """List the caller's schedules, newest first."""
    with reading() as tx:
        return page(query, partial(schedules.select_schedules, tx), key=("id",), user_id=caller_id())


@blueprint.get("/<id:schedule_id>")
@authenticated
@carries_etag
@conditional
@refuses("not_found")
@blueprint.response(200, ScheduleOut)
def read_schedule(schedule_id: int) -> Response:
    """Return one schedule."""
    with reading() as tx:
        schedule = schedules.select_schedule(tx, schedule_id=schedule_id, user_id=caller_id())
    if schedule is None:
        raise not_found("Schedule")
    return tagged(schedule, schedule) if matches_none(schedule) else not_modified(schedule)


@blueprint.patch("/<id:schedule_id>")
@authenticated
@carries_etag
@conditional
@refuses("not_found")
@blueprint.arguments(ScheduleChangeIn)
@blueprint.response(200, ScheduleWrittenOut)
def change_schedule(changes: dict[str, Any], schedule_id: int) -> Response:
    """Change a schedule, or make it the default."""
    with statement() as tx:
        changed = schedules.change_schedule(
            tx,
            schedule_id=schedule_id,
            user_id=caller_id(),
            versions=expected_versions(schedule_id),
            **_columns(changes),
        )
    return _answer("Schedule updated successfully", _raise_if_refused(changed))


@blueprint.delete("/<id:schedule_id>")
@authenticated
@conditional
@refuses("not_found")
@blueprint.response(200, MessageOut)
def delete_schedule(schedule_id: int) -> dict[str, Any]:
    """Delete a schedule; event types that use it fall back to the default of each host."""
    with statement() as tx:
        deleted = schedules.delete_schedule(
            tx, schedule_id=schedule_id, user_id=caller_id(), versions=expected_versions(schedule_id)
        )
    _raise_if_refused(deleted)
    return {"message": "Schedule deleted successfully"}


def _columns(given: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of a schedule; what is not given is None."""
    columns = {name: given.get(name) for name in _COLUMNS}
    for name in ("rules", "overrides"):
        if columns[name] is not None:
            columns[name] = orjson.dumps(columns[name]).decode()
    return columns


def _raise_if_refused(schedule: Row | None) -> Row:
    """Return the schedule; raise ApiError when the write was refused."""
    if schedule is None:
        raise not_found("Schedule")
    if schedule.pop("refusal") is not None:
        raise changed_meanwhile("schedule")
    return schedule


def _answer(message: str, schedule: Row) -> Response:
    return tagged(schedule, {"message": message, "schedule": schedule})
