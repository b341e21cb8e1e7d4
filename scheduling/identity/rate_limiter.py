"""Count attempts in Redis for all processes together; while Redis is away, each process counts its own."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import structlog
from limits import RateLimitItem, parse_many
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis.exceptions import RedisError

from jobs.connection import redis_options
from jobs.settings import DeliverySettings

log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")

# How long one request may wait for Redis, and after a failure how long no request tries Redis; in seconds.
_REDIS_TIMEOUT = 0.25
_RETRY_AFTER = 2.0


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of a limit: whether this attempt is allowed, the limit, what is left, and seconds until the reset."""

    allowed: bool
    limit: int
    remaining: int
    reset_seconds: int


@dataclass
class RateLimits:
    """Moving windows, by name and by whom they limit."""

    shared: MovingWindowRateLimiter
    local: MovingWindowRateLimiter
    _retry_at: float = field(default=0.0, init=False)

    def take(self, rate: str, *subject: str) -> Standing:
        """Count an attempt, and return the state of the limit."""
        return self._judge(rate, subject, lambda limiter, item: limiter.hit(item, *subject))

    def look(self, rate: str, *subject: str) -> Standing:
        """Return the state of the limit without counting."""
        return self._judge(rate, subject, lambda limiter, item: limiter.test(item, *subject))

    def _judge(
        self,
        rate: str,
        subject: tuple[str, ...],
        ask: Callable[[MovingWindowRateLimiter, RateLimitItem], bool],
    ) -> Standing:
        standings = [self._standing(item, subject, ask) for item in parse_many(rate)]
        return min(standings, key=lambda standing: (standing.allowed, standing.remaining))

    def _standing(
        self,
        item: RateLimitItem,
        subject: tuple[str, ...],
        ask: Callable[[MovingWindowRateLimiter, RateLimitItem], bool],
    ) -> Standing:
        def answer(limiter: MovingWindowRateLimiter) -> Standing:
            allowed = ask(limiter, item)
            window = limiter.get_window_stats(item, *subject)
            wait = max(1, math.ceil(window.reset_time - time.time()))
            return Standing(allowed, item.amount, max(0, window.remaining), wait)

        return self._use(answer)

    def _use(self, answer: Callable[[MovingWindowRateLimiter], Answer]) -> Answer:
        if time.monotonic() >= self._retry_at:
            try:
                return answer(self.shared)
            except RedisError as error:
                self._retry_at = time.monotonic() + _RETRY_AFTER
                log.warning("rate_limits_per_process", reason=type(error).__name__)
        return answer(self.local)


def make_rate_limits(settings: DeliverySettings) -> RateLimits:
    """Return limits that all processes of the deployment share."""
    options = redis_options(settings.redis, timeout=_REDIS_TIMEOUT)
    shared = RedisStorage(settings.redis.url, key_prefix="scheduling", **options)
    return RateLimits(MovingWindowRateLimiter(shared), MovingWindowRateLimiter(MemoryStorage()))
