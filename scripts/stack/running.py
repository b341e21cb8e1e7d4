"""Run one thing in a folder at a time, stop it in order, and leave nothing running."""

import fcntl
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from scripts.stack import processes
from scripts.stack.errors import StackError

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def only_one_run(folder: Path) -> Iterator[None]:
    """Keep a second run away from the same data."""
    with (folder / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise StackError(f"it is running in this folder already, as process {lock.read().strip()}.") from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def stop_in_order(leave: Callable[[], object]) -> None:
    """Leave at the first signal to stop, and let no second one interrupt that."""

    def stop(*_: object) -> None:
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        leave()

    for number in STOP_SIGNALS:
        signal.signal(number, stop)


def end_strays() -> None:
    """End what a process has left behind."""
    processes.send(psutil.Process().children(recursive=True), signal.SIGKILL)
