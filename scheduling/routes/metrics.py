"""Numbers for Prometheus: how much waits in the outbox, what failed, how the providers answer."""

import hmac

from flask import Response, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, generate_latest

from scheduling.access import public
from scheduling.blueprint import Blueprint
from scheduling.context import reading, services
from scheduling.errors import ApiError
from sql.queries import emails

blueprint = Blueprint("metrics", __name__, description="Numbers for Prometheus.")


@blueprint.get("/metrics")
@public
@blueprint.alt_response(200, content_type="text/plain", schema={"type": "string"}, description="Prometheus text")
def read_metrics() -> Response:
    """Return the state of the outbox; with METRICS_TOKEN only to who bears it."""
    _require_token()
    with reading() as tx:
        state = emails.select_outbox_state(tx)
        outcomes = emails.select_outcomes(tx)
    registry = CollectorRegistry(auto_describe=False)
    gauges = {
        "scheduling_emails_pending": ("E-mails that wait to be sent", state["pending"]),
        "scheduling_emails_oldest_pending_seconds": ("Age of the oldest", state["oldest_pending_seconds"]),
        "scheduling_emails_dead": ("E-mails that failed for good", state["dead"]),
    }
    for name, (what, value) in gauges.items():
        Gauge(name, what, registry=registry).set(value)
    answers = Counter("scheduling_email_attempts", "Attempts by outcome", ["outcome"], registry=registry)
    for row in outcomes:
        answers.labels(row["outcome"]).inc(row["count"])
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _require_token() -> None:
    expected = services().settings.metrics_token
    given = request.headers.get("Authorization", "")
    if expected and not hmac.compare_digest(given.encode(), f"Bearer {expected}".encode()):
        raise ApiError(
            401,
            "unauthorized",
            "Send METRICS_TOKEN as `Authorization: Bearer <token>`",
            headers={"WWW-Authenticate": "Bearer"},
        )
