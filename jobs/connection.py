"""Connect to Redis with short time-outs, without retries, and with verified certificates."""

from dataclasses import dataclass, field
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

QUEUE = "emails"


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where Redis is, and how it proves who it is when the connection is encrypted."""

    url: str = field(repr=False)
    # A file with one more certificate authority.
    ca_cert: str = ""
    # Off where a platform signs its own certificates: the connection is encrypted, and the server is not verified.
    verifies: bool = True


def redis_options(address: RedisAddress, *, timeout: float) -> dict[str, Any]:
    """Return the options of a client; `timeout`, in seconds, bounds connecting and each answer.

    By default redis-py retries ten times, so that a request hangs while Redis is away.
    """
    options: dict[str, Any] = {
        "socket_connect_timeout": timeout,
        "socket_timeout": timeout,
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": 0,
    }
    if address.url.startswith("rediss://"):
        options["ssl_cert_reqs"] = "required" if address.verifies else "none"
        options["ssl_check_hostname"] = address.verifies
        if address.ca_cert:
            options["ssl_ca_certs"] = address.ca_cert
    return options


def connect_redis(address: RedisAddress, *, timeout: float) -> Redis:
    """Return a client; it connects when it is first used."""
    return Redis.from_url(address.url, **redis_options(address, timeout=timeout))
