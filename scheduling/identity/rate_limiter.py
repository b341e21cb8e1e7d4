"""How often somebody may do something: counted in Redis over all processes, in this process while Redis is away."""

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

# What one request may wait for Redis, and how long nobody asks it again after that; in seconds.
_PATIENCE = 0.25
_REST = 2.0


@dataclass(frozen=True, slots=True)
class Standing:
    """Where somebody stands: may go on or not, of how many, how many are left, seconds until that changes."""

    allowed: bool
    limit: int
    remaining: int
    reset_seconds: int


@dataclass
class RateLimits:
    """Moving windows by name and subject."""

    shared: MovingWindowRateLimiter
    alone: MovingWindowRateLimiter
    _ask_again_at: float = field(default=0.0, init=False)

    def take(self, rate: str, *subject: str) -> Standing:
        """Count one and tell where the subject stands."""
        return self._judge(rate, subject, lambda limiter, item: limiter.hit(item, *subject))

    def look(self, rate: str, *subject: str) -> Standing:
        """Tell where the subject stands, without counting."""
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
        if time.monotonic() >= self._ask_again_at:
            try:
                return answer(self.shared)
            except RedisError as error:
                self._ask_again_at = time.monotonic() + _REST
                log.warning("rate_limits_per_process", reason=type(error).__name__)
        return answer(self.alone)


def make_rate_limits(settings: DeliverySettings) -> RateLimits:
    """Return limits that every process of the deployment shares."""
    options = redis_options(settings.redis, patience=_PATIENCE)
    shared = RedisStorage(settings.redis.url, key_prefix="scheduling", **options)
    return RateLimits(MovingWindowRateLimiter(shared), MovingWindowRateLimiter(MemoryStorage()))
