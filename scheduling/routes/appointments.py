"""Find slots of an event type, explain refusals, hold slots and book them as a guest."""

from dataclasses import asdict
from typing import Any

from flask import Response

from scheduling.appointments.booking import book, hold
from scheduling.appointments.guests import for_guest, guest_address
from scheduling.appointments.hosts import find_event_type, require_insider, select_taken
from scheduling.appointments.locked_event_type import booking_transaction
from scheduling.availability.explanation import explain
from scheduling.availability.slots import by_local_date, find_slots
from scheduling.availability.wall_clock import find_zone
from scheduling.context import caller_id, reading, services, transaction
from scheduling.http.blueprint import Blueprint
from scheduling.http.client_address import client_address
from scheduling.http.etags import tagged
from scheduling.http.locations import created
from scheduling.policies.access import authenticated, optionally_authenticated, public
from scheduling.policies.declarations import carries_etag, needs_no_token, refuses
from scheduling.policies.idempotency import idempotent, idempotent_by, replayed
from scheduling.policies.rate_limit import limited
from scheduling.schemas.appointments import (
    AppointmentIn,
    AppointmentMadeOut,
    ExplanationOut,
    HoldIn,
    HoldOut,
    SlotsOut,
    SlotsQuery,
    StartQuery,
)
from scheduling.schemas.common import MessageOut
from sql.queries import Row, appointments

blueprint = Blueprint("appointments", __name__, url_prefix="", description="Booking people through an event type.")


@blueprint.get("/event-types/<uid:event_type_uid>/slots")
@public
@limited("rate_limit_slots")
@refuses("not_found")
@blueprint.arguments(SlotsQuery, location="query")
@blueprint.response(200, SlotsOut)
def list_slots(query: dict[str, Any], event_type_uid: str) -> dict[str, Any]:
    """List the times that can be booked, by the dates of a time zone."""
    with reading() as tx:
        event_type = find_event_type(tx, event_type_uid)
        taken = select_taken(tx, event_type, query["starts"], query["ends"])
    slots = find_slots(
        event_type.rules,
        event_type.hosts(taken),
        now=event_type.row["now"],
        start=query["starts"],
        end=query["ends"],
    )
    return {"time_zone": query["time_zone"], "days": by_local_date(slots, find_zone(query["time_zone"]))}


@blueprint.get("/event-types/<uid:event_type_uid>/explain")
@authenticated
@refuses("forbidden", "not_found")
@blueprint.arguments(StartQuery, location="query")
@blueprint.response(200, ExplanationOut)
def explain_start(query: dict[str, Any], event_type_uid: str) -> dict[str, Any]:
    """Say of each host and each rule whether it lets a start be booked; for hosts and managers."""
    start = query["start"]
    with reading() as tx:
        event_type = find_event_type(tx, event_type_uid, even_inactive=True)
        require_insider(tx, event_type, caller_id())
        taken = select_taken(tx, event_type, start, start + event_type.rules.duration)
    return asdict(explain(event_type.rules, event_type.hosts(taken), now=event_type.row["now"], start=start))


@blueprint.post("/event-types/<uid:event_type_uid>/holds")
@optionally_authenticated
@limited("rate_limit_guests")
@idempotent
@needs_no_token
@refuses("not_found", "not_bookable", "slot_taken", "booking_conflict", "too_many_holds")
@blueprint.arguments(HoldIn)
@blueprint.response(201, HoldOut)
def create_hold(body: dict[str, Any], event_type_uid: str) -> tuple[Row, int, dict[str, str]]:
    """Keep a time for five minutes, in which nobody else can book it."""
    with booking_transaction() as tx:
        held = hold(tx, event_type_uid, body["start"], client_address(), services().settings.holds_per_address)
    return held, 201, created(f"/holds/{held['hold']}")


@blueprint.delete("/holds/<uid:hold_uid>")
@public
@limited("rate_limit_guests")
@blueprint.response(200, MessageOut)
def release_hold(hold_uid: str) -> dict[str, Any]:
    """Let a time go that is held; who does not know the hold cannot."""
    with transaction() as tx:
        appointments.delete_hold(tx, uid=hold_uid)
    return {"message": "Hold released"}


@blueprint.post("/event-types/<uid:event_type_uid>/bookings")
@optionally_authenticated
@limited("rate_limit_guests")
@idempotent_by(guest_address)
@carries_etag
@needs_no_token
@refuses("not_found", "not_bookable", "slot_taken", "already_booked", "booking_conflict")
@blueprint.arguments(AppointmentIn)
@blueprint.response(201, AppointmentMadeOut)
def book_as_guest(request: dict[str, Any], event_type_uid: str) -> tuple[Response, int, dict[str, str]]:
    """Book a time as a guest; the answer has the token that moves and cancels the booking."""
    with booking_transaction() as tx:
        booked = book(tx, event_type_uid, request)
    answer = {
        "message": "Booking created successfully",
        "booking": for_guest(booked.row),
        "manage_token": booked.token,
    }
    response = tagged(booked.row, answer, by="uid")
    location = created(f"/guest/bookings/{booked.row['uid']}")
    return replayed(response) if booked.repeated else response, 201, location
