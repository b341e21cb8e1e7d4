"""Connections to Redis: verified where encrypted, short of patience, without retries of their own."""

from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

QUEUE = "emails"


def redis_options(url: str, ca_cert: str, *, patience: float) -> dict[str, Any]:
    """Return the options of a client; `patience` in seconds bounds connecting and each answer.

    redis-py retries ten times by default, which turns a Redis that is away into a request that hangs.
    """
    options: dict[str, Any] = {
        "socket_connect_timeout": patience,
        "socket_timeout": patience,
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": 0,
    }
    if url.startswith("rediss://"):
        options["ssl_cert_reqs"] = "required"
        options["ssl_check_hostname"] = True
        if ca_cert:
            options["ssl_ca_certs"] = ca_cert
    return options


def connect_redis(url: str, ca_cert: str, *, patience: float) -> Redis:
    """Return a client; it connects when it is first used."""
    return Redis.from_url(url, **redis_options(url, ca_cert, patience=patience))
