"""Log events, and read statistics of them."""

from functools import partial
from typing import Any

import orjson
from flask import Response, g

from scheduling.context import reading, statement
from scheduling.http.blueprint import Blueprint
from scheduling.http.locations import created
from scheduling.http.paging import page
from scheduling.policies.access import admin_required, authenticated, optionally_authenticated
from scheduling.policies.idempotency import idempotent
from scheduling.policies.rate_limit import limited
from scheduling.schemas.analytics import (
    DashboardOut,
    DashboardQuery,
    EventIn,
    EventLoggedOut,
    EventOut,
    EventsQuery,
)
from sql.queries import analytics

blueprint = Blueprint("analytics", __name__, url_prefix="/analytics", description="Events and statistics.")


@blueprint.post("/event")
@optionally_authenticated
@limited("rate_limit_events", only_anonymous=True)
@idempotent
@blueprint.arguments(EventIn)
@blueprint.response(201, EventLoggedOut)
def log_event(event: dict[str, Any]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Log an event; with a valid token it names the caller, otherwise it is anonymous."""
    with statement() as tx:
        logged = analytics.insert_event(
            tx,
            user_id=g.token and g.token.user_id,
            issued_at=g.token and g.token.issued_at,
            token_id=g.token and g.token.token_id,
            event_type=event["event_type"],
            metadata=orjson.dumps(event["metadata"]).decode(),
        )
    return {"message": "Event logged successfully", "event": logged}, 201, created("/analytics/events")


@blueprint.get("/dashboard")
@authenticated
@blueprint.arguments(DashboardQuery, location="query")
@blueprint.response(200, DashboardOut)
def read_dashboard(query: dict[str, Any]) -> dict[str, Any]:
    """Return the statistics of the last days, by type."""
    with reading() as tx:
        total, *breakdown = analytics.select_event_statistics(tx, days=query["days"])
    return {
        "period": f"Last {query['days']} days",
        "overview": {
            "total_events": total["count"],
            "unique_users": total["unique_users"],
            "event_types": len(breakdown),
        },
        "breakdown": breakdown,
    }


@blueprint.get("/events")
@authenticated
@blueprint.arguments(EventsQuery, location="query")
@admin_required
@blueprint.response(200, EventOut(many=True))
def list_events(query: dict[str, Any]) -> Response:
    """List raw events with who caused them, newest first."""
    with reading() as tx:
        return page(
            query,
            partial(analytics.select_events, tx),
            key=("created_at", "id"),
            event_type=query["type"],
        )
