"""Bound the whole of an attempt by one clock."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")

# Made when none is idle: an attempt that was given up may go on in its thread, and must not hold up the next one.
_THREADS = ThreadPoolExecutor(max_workers=1000, thread_name_prefix="attempt")


def within(seconds: float, attempt: Callable[[], Result]) -> Result:
    """Return what an attempt returns, or raise TimeoutError once it has taken that many seconds.

    The time-outs of a socket start afresh with each packet and do not cover the look-up of a name; this does.
    An attempt given up is left to end by its own time-outs, so it must look at the clock before it sends.
    """
    return _THREADS.submit(attempt).result(seconds)
