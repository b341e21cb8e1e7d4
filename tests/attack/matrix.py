"""Who may do what: every route with a valid request, and what each kind of caller is answered."""

from collections.abc import Iterator

from flask import Flask

from scheduling.policies.access import Access, access_of
from tests.access import (
    EVERYBODY,
    EVERYBODY_BY_NAME,
    ITS_ADMINS,
    ITS_GUEST,
    ITS_GUEST_WHO_LOST_THE_TOKEN,
    ITS_INSIDERS_BY_LINK,
    ITS_MANAGERS,
    ITS_MEMBERS,
    ITS_MEMBERS_BY_LINK,
    ITS_OWNER,
    ITS_PERSON,
    ITS_PERSON_BY_LINK,
    KINDS,
    MEMBERS_BUT_ITS_OWNER,
    PLATFORM_ADMINS,
    WHO_IS_SIGNED_IN,
    Call,
    access_of_features,
)
from tests.people import PASSWORD, time_on

V1 = "/api/v1"


_BOOKING = {"booking_id": "booking"}
_CANCELLED = {"booking_id": "cancelled booking"}
_NOTIFICATION = {"notification_id": "notification"}
_TEAM = {"organization_id": "organization"}
_SCHEDULE = {"schedule_id": "schedule"}
_HOURS = {"name": "New", "time_zone": "Europe/Berlin", "rules": [{"days": ["MO"], "start": "09:00", "end": "17:00"}]}
_LINK, _LINK_OF_TEAM = {"event_type_uid": "event type"}, {"event_type_uid": "event type of the team"}
_INACTIVE_LINK = {"event_type_uid": "inactive event type"}
_TALK = {"title": "New", "duration_minutes": 30}
_START, _END = time_on(9, 10).isoformat(), time_on(9, 11).isoformat()
_BOOKABLE, _APPOINTMENT = {"event_type_uid": "bookable event type"}, {"booking_uid": "appointment"}
_WINDOW = {"from": time_on(9, 0).isoformat(), "to": time_on(10, 0).isoformat()}
_GUEST = {"start": _START, "name": "Gail", "email": "gail@example.com", "time_zone": "Asia/Tokyo"}
_NEWCOMER = {"name": "Newcomer", "email": "newcomer@example.com", "password": PASSWORD}
_PASSWORDS = {"currentPassword": PASSWORD, "newPassword": "another horse entirely"}

# Method and path, and one valid request or several.
CALLS: dict[str, tuple[Call, ...]] = {
    "GET /health": (Call(EVERYBODY),),
    "GET /health/ready": (Call(EVERYBODY),),
    "GET /metrics": (Call(EVERYBODY),),
    "GET /": (Call(EVERYBODY, success=302),),
    "GET /docs": (Call(EVERYBODY),),
    "GET /docs/<name>": (Call(EVERYBODY, ids={"name": "asset"}),),
    "GET /openapi.json": (Call(EVERYBODY),),
    f"POST {V1}/auth/register": (Call(EVERYBODY, 201, _NEWCOMER),),
    f"POST {V1}/auth/login": (Call(EVERYBODY, body={"email": "outsider@example.com", "password": PASSWORD}),),
    f"POST {V1}/auth/logout": (Call(WHO_IS_SIGNED_IN),),
    f"POST {V1}/auth/revoke": (Call(WHO_IS_SIGNED_IN),),
    f"GET {V1}/auth/verify": (Call(WHO_IS_SIGNED_IN),),
    f"GET {V1}/users/me": (Call(WHO_IS_SIGNED_IN),),
    f"PATCH {V1}/users/me": (Call(WHO_IS_SIGNED_IN, body={"name": "Somebody Else"}),),
    f"PATCH {V1}/users/me/password": (Call(WHO_IS_SIGNED_IN, body=_PASSWORDS),),
    f"GET {V1}/users": (Call(PLATFORM_ADMINS),),
    f"GET {V1}/bookings": (Call(WHO_IS_SIGNED_IN),),
    f"POST {V1}/bookings": (Call(WHO_IS_SIGNED_IN, 201, {"title": "New", "start": _START, "end": _END}),),
    f"GET {V1}/bookings/<id:booking_id>": (Call(ITS_PERSON, ids=_BOOKING),),
    f"PATCH {V1}/bookings/<id:booking_id>": (Call(ITS_PERSON, body={"title": "Mine now"}, ids=_BOOKING),),
    f"DELETE {V1}/bookings/<id:booking_id>": (Call(ITS_PERSON, ids=_BOOKING),),
    f"POST {V1}/bookings/<id:booking_id>/restore": (Call(ITS_PERSON, ids=_CANCELLED),),
    f"GET {V1}/bookings/<id:booking_id>/deliveries": (Call(ITS_PERSON, ids=_BOOKING),),
    f"GET {V1}/schedules": (Call(WHO_IS_SIGNED_IN),),
    f"POST {V1}/schedules": (Call(WHO_IS_SIGNED_IN, 201, _HOURS),),
    f"GET {V1}/schedules/<id:schedule_id>": (Call(ITS_PERSON, ids=_SCHEDULE),),
    f"PATCH {V1}/schedules/<id:schedule_id>": (Call(ITS_PERSON, body={"name": "Mine now"}, ids=_SCHEDULE),),
    f"DELETE {V1}/schedules/<id:schedule_id>": (Call(ITS_PERSON, ids=_SCHEDULE),),
    f"GET {V1}/event-types": (Call(WHO_IS_SIGNED_IN),),
    f"POST {V1}/event-types": (
        Call(WHO_IS_SIGNED_IN, 201, _TALK),
        Call(ITS_ADMINS, 201, _TALK, body_ids=_TEAM),
        Call(ITS_PERSON, 201, _TALK, body_ids=_SCHEDULE),
    ),
    f"GET {V1}/event-types/<uid:event_type_uid>": (
        Call(EVERYBODY_BY_NAME, ids=_LINK),
        Call(EVERYBODY_BY_NAME, ids=_LINK_OF_TEAM),
        Call(ITS_MEMBERS_BY_LINK, ids=_INACTIVE_LINK),
    ),
    f"PATCH {V1}/event-types/<uid:event_type_uid>": (
        Call(ITS_PERSON_BY_LINK, body={"title": "Mine now"}, ids=_LINK),
        Call(ITS_MANAGERS, body={"title": "Ours now"}, ids=_LINK_OF_TEAM),
    ),
    f"DELETE {V1}/event-types/<uid:event_type_uid>": (
        Call(ITS_PERSON_BY_LINK, ids=_LINK),
        Call(ITS_MANAGERS, ids=_LINK_OF_TEAM),
    ),
    f"GET {V1}/event-types/<uid:event_type_uid>/slots": (Call(EVERYBODY, ids=_BOOKABLE, query=_WINDOW),),
    f"GET {V1}/event-types/<uid:event_type_uid>/explain": (
        Call(ITS_PERSON_BY_LINK, ids=_LINK, query={"start": _START}),
        Call(ITS_INSIDERS_BY_LINK, ids=_LINK_OF_TEAM, query={"start": _START}),
    ),
    f"POST {V1}/event-types/<uid:event_type_uid>/holds": (Call(EVERYBODY_BY_NAME, 201, {"start": _START}, _BOOKABLE),),
    f"DELETE {V1}/holds/<uid:hold_uid>": (Call(EVERYBODY, ids={"hold_uid": "hold"}),),
    f"POST {V1}/event-types/<uid:event_type_uid>/bookings": (
        Call(EVERYBODY_BY_NAME, 201, _GUEST, _BOOKABLE),
        Call(EVERYBODY_BY_NAME, 201, _GUEST | {"start": time_on(5, 10).isoformat()}, _BOOKABLE, {"hold": "hold"}),
    ),
    f"GET {V1}/guest/bookings/<uid:booking_uid>": (
        Call(ITS_GUEST, ids=_APPOINTMENT, bears="manage token"),
        Call(ITS_GUEST_WHO_LOST_THE_TOKEN, ids=_APPOINTMENT),
    ),
    f"PATCH {V1}/guest/bookings/<uid:booking_uid>": (
        Call(ITS_GUEST, body={"start": _START}, ids=_APPOINTMENT, bears="manage token"),
        Call(ITS_GUEST_WHO_LOST_THE_TOKEN, body={"start": _START}, ids=_APPOINTMENT),
    ),
    f"DELETE {V1}/guest/bookings/<uid:booking_uid>": (
        Call(ITS_GUEST, body={"reason": "Ill"}, ids=_APPOINTMENT, bears="manage token"),
        Call(ITS_GUEST_WHO_LOST_THE_TOKEN, ids=_APPOINTMENT),
    ),
    f"POST {V1}/availability/find": (
        Call(ITS_MEMBERS, body=_WINDOW | {"duration_minutes": 30}, body_ids=_TEAM),
        Call(ITS_MEMBERS, body=_WINDOW | {"duration_minutes": 30}, body_ids={"user_ids": "people of the team"}),
    ),
    f"GET {V1}/notifications": (Call(WHO_IS_SIGNED_IN),),
    f"GET {V1}/notifications/unread": (Call(WHO_IS_SIGNED_IN),),
    f"GET {V1}/notifications/count": (Call(WHO_IS_SIGNED_IN),),
    f"PATCH {V1}/notifications/read-all": (Call(WHO_IS_SIGNED_IN),),
    f"PATCH {V1}/notifications/<id:notification_id>/read": (Call(ITS_PERSON, ids=_NOTIFICATION),),
    f"DELETE {V1}/notifications/<id:notification_id>": (Call(ITS_PERSON, ids=_NOTIFICATION),),
    f"GET {V1}/organizations": (Call(WHO_IS_SIGNED_IN),),
    f"POST {V1}/organizations": (Call(WHO_IS_SIGNED_IN, 201, {"name": "New"}),),
    f"GET {V1}/organizations/<id:organization_id>": (Call(ITS_MEMBERS, ids=_TEAM),),
    f"PATCH {V1}/organizations/<id:organization_id>": (Call(ITS_OWNER, body={"name": "Mine now"}, ids=_TEAM),),
    f"DELETE {V1}/organizations/<id:organization_id>": (Call(ITS_OWNER, ids=_TEAM),),
    f"GET {V1}/organizations/<id:organization_id>/members": (Call(ITS_MEMBERS, ids=_TEAM),),
    f"POST {V1}/organizations/<id:organization_id>/members": (
        Call(ITS_OWNER, 201, {"email": "outsider@example.com"}, _TEAM),
        Call(ITS_OWNER, 201, {"email": "outsider@example.com", "role": "admin"}, _TEAM),
    ),
    f"DELETE {V1}/organizations/<id:organization_id>/members/<id:member_id>": (
        Call(ITS_OWNER, ids=_TEAM | {"member_id": "colleague"}),
        Call(MEMBERS_BUT_ITS_OWNER, ids=_TEAM | {"member_id": "caller"}),
    ),
    f"POST {V1}/analytics/event": (Call(EVERYBODY_BY_NAME, 201, {"eventType": "page_view"}),),
    f"GET {V1}/analytics/dashboard": (Call(WHO_IS_SIGNED_IN),),
    f"GET {V1}/analytics/events": (Call(PLATFORM_ADMINS),),
    **{route.replace(" ", f" {V1}", 1): calls for route, calls in access_of_features().items()},
}


def routes_of(app: Flask) -> Iterator[tuple[str, Access | None]]:
    """Yield method and path of every route, and what it declares; a HEAD is described with its GET."""
    for rule in app.url_map.iter_rules():
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            yield f"{method} {rule.rule}", access_of(app.view_functions[rule.endpoint])


def misdescribed(app: Flask) -> dict[str, str]:
    """Return what is wrong with the matrix, by route: it lacks one, has one too many, or has another policy."""
    declared = dict(routes_of(app))
    described = {route: {call.policy.access for call in calls} for route, calls in CALLS.items()}
    return {
        route: _what_to_write(route, declared.get(route))
        for route in declared.keys() | described.keys()
        if described.get(route) != {declared.get(route)}
    }


def _what_to_write(route: str, access: Access | None) -> str:
    short = route.replace(V1, "")
    area = short.partition("/")[2].partition("/")[0].replace("-", "_")
    where = f"ACCESS of tests/scheduling/routes/test_{area}.py or CALLS of tests/attack/matrix.py"
    if access is None:
        return f"there is no such route: take it out of {where}"
    return f'it is {access}: write into {where} "{short}": (Call(<a policy of tests/access.py with {access}>),)'


def requests() -> Iterator[tuple[str, str, Call]]:
    """Yield method, path and call of every request; whatever can be read is asked for with HEAD, too."""
    for route, calls in CALLS.items():
        method, _, path = route.partition(" ")
        for call in calls:
            yield method, path, call
            if method == "GET":
                yield "HEAD", path, call


REQUESTS = list(requests())
CELLS = len(REQUESTS) * len(KINDS)
