"""Find when the members of an organization are free together."""

from datetime import timedelta
from typing import Any

from scheduling.appointments.hosts import make_hosts
from scheduling.availability.common_times import find_common_times
from scheduling.context import caller_id, reading
from scheduling.errors import ApiError, invalid, not_found
from scheduling.http.blueprint import Blueprint
from scheduling.policies.access import authenticated
from scheduling.policies.declarations import refuses
from scheduling.policies.idempotency import idempotent
from scheduling.schemas.appointments import LARGEST_GROUP, CommonTimesIn, CommonTimesOut
from sql.queries import appointments

blueprint = Blueprint("availability", __name__, url_prefix="/availability", description="Common free times.")


@blueprint.post("/find")
@authenticated
@idempotent
@refuses("not_found", "too_many_members")
@blueprint.arguments(CommonTimesIn)
@blueprint.response(200, CommonTimesOut)
def find_common_free_times(body: dict[str, Any]) -> dict[str, Any]:
    """Find the times at which enough members of one organization are free; nobody sees what keeps the others."""
    with reading() as tx:
        people = appointments.select_people(
            tx,
            user_ids=body["user_ids"],
            organization_id=body["organization_id"],
            caller_id=caller_id(),
            limit=LARGEST_GROUP + 1,
        )
        if not people or (body["user_ids"] and len(people) < len(set(body["user_ids"]))):
            raise not_found("An organization of the caller with these members was")
        if len(people) > LARGEST_GROUP:
            raise _too_many_members()
        taken = appointments.select_taken(
            tx,
            user_ids=[person["user_id"] for person in people],
            starts=body["starts"],
            ends=body["ends"],
            event_type_uid=None,
            except_appointment_id=None,
        )
    quorum = body["quorum"] or len(people)
    if quorum > len(people):
        raise invalid("/quorum", f"There are {len(people)} people; the quorum cannot be larger")
    times = find_common_times(
        make_hosts(people, taken),
        duration=timedelta(minutes=body["duration_minutes"]),
        start=body["starts"],
        end=body["ends"],
        quorum=quorum,
    )
    return {"time_zone": body["time_zone"], "times": times}


def _too_many_members() -> ApiError:
    detail = f"The organization has more than {LARGEST_GROUP} members; name those who are meant in user_ids"
    return ApiError(400, "too_many_members", detail, errors=[{"pointer": "/organization_id", "detail": detail}])
