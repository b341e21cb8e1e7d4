"""Wait for conditions, never for time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_POLL_SECONDS = 0.02


def eventually(condition: Callable[[], T], *, within: float = 15.0, saying: Callable[[], str] = str) -> T:
    """Return the first true value of a condition; fail when there is none within so many seconds.

    `saying` is asked for the words of the failure, such as the end of a log.
    """
    deadline = time.monotonic() + within
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {within:g} s: {saying() or condition}"
        time.sleep(_POLL_SECONDS)
    return value
