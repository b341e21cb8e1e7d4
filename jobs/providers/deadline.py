"""Bound the whole of an attempt by one deadline."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")

# Many, because an attempt that was given up goes on in its thread for a while and must not block the next one.
_THREADS = ThreadPoolExecutor(max_workers=1000, thread_name_prefix="attempt")


def within(seconds: float, attempt: Callable[[], Result]) -> Result:
    """Return what an attempt returns, or raise TimeoutError once it has taken that many seconds.

    The time-outs of a socket start again with each packet and do not cover the look-up of a name; this one covers
    all. An attempt that was given up ends by its own time-outs, so it must check the time before it sends.
    """
    return _THREADS.submit(attempt).result(seconds)
