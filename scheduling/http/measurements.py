"""Measure every request for Prometheus, for all processes of a server together.

gunicorn's processes write to files in one folder, PROMETHEUS_MULTIPROC_DIR; the process that answers /metrics adds them
up. Without the folder a process reports its own numbers only.
"""

import os
import time
from collections.abc import Callable, Iterable
from functools import cache

from flask import Flask, Response, g, request
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from sql.pool import ConnectionPool

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_requests = Counter("scheduling_http_requests", "Requests answered", ["method", "route", "status"])
_durations = Histogram(
    "scheduling_http_request_duration_seconds", "Time to the answer", ["method", "route"], buckets=_SECONDS
)
_in_use = Gauge(
    "scheduling_database_pool_in_use", "Database connections that requests hold", multiprocess_mode="livesum"
)
_size = Gauge(
    "scheduling_database_pool_size", "Database connections that requests may hold", multiprocess_mode="livesum"
)


def register_measurements(app: Flask, pool: ConnectionPool) -> None:
    """Measure each answer of an application, and its connection pool at that moment."""

    def measure(response: Response) -> Response:
        rule = request.url_rule.rule if request.url_rule else "unmatched"
        count, observe = _children(request.method, rule, response.status_code)
        count()
        observe(time.perf_counter() - g.started)
        # Set here and not once at the start: each forked process has its own gauge.
        _size.set(pool.size)
        _in_use.set(pool.in_use)
        return response

    app.after_request(measure)


@cache
def _children(method: str, rule: str, status: int) -> tuple[Callable[[], None], Callable[[float], None]]:
    """Return the functions that count and time requests; the labels do not depend on what a client sends."""
    method = method if method in _METHODS else "other"
    return _requests.labels(method, rule, str(status)).inc, _durations.labels(method, rule).observe


def collectors() -> Iterable[Collector]:
    """Return the collectors of all processes, or of this one when there is no common folder."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return (_requests, _durations, _in_use, _size)
    return (MultiProcessCollector(None),)  # type: ignore[no-untyped-call]
