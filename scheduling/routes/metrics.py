"""Serve the metrics for Prometheus: requests, the outbox and the outcomes of e-mails."""

import hmac
from collections.abc import Iterator, Mapping

from flask import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from jobs.classes import CLASSES
from scheduling.context import reading, services
from scheduling.http.bearer import bearer_token, unauthorized
from scheduling.http.blueprint import Blueprint
from scheduling.http.measurements import collectors
from scheduling.policies.access import public
from scheduling.policies.declarations import refuses
from sql.queries import Row, emails

_HOW_TO_SEND = "Send METRICS_TOKEN as `Authorization: Bearer <token>`"

blueprint = Blueprint("metrics", __name__, description="Numbers for Prometheus.")


@blueprint.get("/metrics")
@public
@refuses("unauthorized")
@blueprint.alt_response(200, content_type="text/plain", schema={"type": "string"}, description="Prometheus text")
def read_metrics() -> Response:
    """Return the metrics for Prometheus; with METRICS_TOKEN, only to a caller who sends it."""
    _require_token()
    registry = CollectorRegistry(auto_describe=False)
    for collector in (*collectors(), _Outbox()):
        registry.register(collector)
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Outbox(Collector):
    """The state of the outbox, read from PostgreSQL for all processes."""

    def collect(self) -> Iterator[Metric]:
        """Read the state."""
        with reading() as tx:
            state = emails.select_outbox_state(tx)
            classes = {row["class"]: row for row in emails.select_classes(tx)}
            outcomes = emails.select_outcomes(tx)
        yield GaugeMetricFamily("scheduling_emails_pending", "E-mails that wait to be sent", state["pending"])
        yield GaugeMetricFamily(
            "scheduling_emails_oldest_pending_seconds", "Age of the oldest", state["oldest_pending_seconds"]
        )
        yield from _by_class(classes)
        yield GaugeMetricFamily("scheduling_emails_dead", "E-mails that failed for good", state["dead"])
        yield GaugeMetricFamily(
            "scheduling_emails_superseded", "E-mails whose place a later one took", state["superseded"]
        )
        answers = CounterMetricFamily("scheduling_email_attempts", "Attempts by outcome", labels=["outcome"])
        for row in outcomes:
            answers.add_metric([row["outcome"]], row["count"])
        yield answers


def _by_class(classes: Mapping[int, Row]) -> Iterator[Metric]:
    """Yield how many e-mails of each class are pending, and the age of the oldest; 0 for a class without any."""
    for column, what in (("pending", "E-mails that wait, by class"), ("oldest_pending_seconds", "Age of the oldest")):
        gauge = GaugeMetricFamily(f"scheduling_emails_class_{column}", what, labels=["class"])
        for number, name in CLASSES.items():
            gauge.add_metric([name], classes[number][column] if number in classes else 0)
        yield gauge


def _require_token() -> None:
    expected = services().settings.metrics_token
    if expected and not hmac.compare_digest(bearer_token(_HOW_TO_SEND).encode(), expected.encode()):
        raise unauthorized(_HOW_TO_SEND)
