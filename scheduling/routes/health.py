"""Tell whether the process runs, and whether it can serve requests."""

import time
from typing import Any

import psycopg2
from flask import Response, jsonify
from redis.exceptions import RedisError

from jobs.connection import connect_redis
from scheduling.context import now, reading, services
from scheduling.errors import RETRY_AFTER_SECONDS
from scheduling.http.blueprint import Blueprint
from scheduling.policies.access import public
from scheduling.schemas.health import HealthOut, ReadinessOut
from sql.migrator import latest_version
from sql.pool import PoolExhausted
from sql.queries import emails, health

blueprint = Blueprint("health", __name__, url_prefix="/health", description="Is it there, and can it work?")

_STARTED = time.monotonic()
_SCHEMA = latest_version()
_REDIS_PATIENCE = 0.5


@blueprint.get("")
@public
@blueprint.response(200, HealthOut)
def read_health() -> dict[str, Any]:
    """Tell that the process runs; asks neither PostgreSQL nor Redis."""
    return {
        "status": "OK",
        "uptime": round(time.monotonic() - _STARTED, 3),
        "timestamp": now(),
        "environment": services().settings.delivery.app_env,
    }


@blueprint.get("/ready")
@public
@blueprint.response(200, ReadinessOut)
@blueprint.alt_response(503, schema=ReadinessOut, description="PostgreSQL is away or not migrated")
def read_readiness() -> tuple[Response, int, dict[str, str]]:
    """Tell whether requests can be served; Redis is reported, and not required."""
    checks = {**_check_database(), "redis": _check_redis()}
    ready = checks["database"] == "ok" and checks["schema"] == "ok"
    answer: dict[str, Any] = {"status": "ready" if ready else "unavailable", "checks": checks}
    if ready:
        with reading() as tx:
            answer["outbox"] = emails.select_outbox_state(tx)
    return jsonify(answer), 200 if ready else 503, {} if ready else {"Retry-After": RETRY_AFTER_SECONDS}


def _check_database() -> dict[str, Any]:
    try:
        with reading() as tx:
            version = health.select_schema_version(tx)
    except psycopg2.ProgrammingError:
        return {"database": "ok", "schema": "missing; run scripts/migrate.py"}
    except (psycopg2.Error, PoolExhausted):
        return {"database": "unavailable", "schema": "unknown"}
    behind = version is None or version < _SCHEMA
    return {"database": "ok", "schema": "behind; run scripts/migrate.py" if behind else "ok"}


def _check_redis() -> str:
    redis = connect_redis(services().settings.delivery.redis, timeout=_REDIS_PATIENCE)
    try:
        redis.ping()
    except RedisError:
        return "unavailable"
    finally:
        redis.close()
    return "ok"
