"""Write logs: lines for people in development, JSON objects in production, no secrets in either."""

import atexit
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from multiprocessing.util import Finalize
from typing import Any, cast

import orjson
import structlog

Line = dict[str, Any]

_SHARED: list[structlog.typing.Processor] = [
    structlog.stdlib.add_log_level,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
]
# A process that is killed may lose the lines of this time; one that ends writes them.
_WRITE_EVERY = 0.1


def configure_logging(*, in_production: bool, about: Callable[[Line], Line] = dict) -> None:
    """Write every log line to standard output in one shape; `about` adds members such as the request's id."""
    shared: list[structlog.typing.Processor] = [lambda _, __, line: about(cast("Line", line)), *_SHARED]
    renderer = _for_machines() if in_production else _for_people()
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_formatter(shared, renderer))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def json_formatter() -> logging.Formatter:
    """Return a formatter that writes records of the standard library as the JSON of all other lines."""
    return _formatter(_SHARED, _for_machines())


def json_line(event: str, level: str) -> str:
    """Return a JSON line of the log, for what is written before logging is configured."""
    return _to_json({"event": event, "level": level, "time": datetime.now(UTC)})


def write_soon(line: str) -> None:
    """Write a line within a tenth of a second, together with others; a system call for each costs too much."""
    _late_lines.append(line)


class _LateLines:
    """Hold lines until they are written together."""

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        atexit.register(self.write)

    def append(self, line: str) -> None:
        """Add a line; a forked process has none of its parent's threads, and starts one."""
        self._waiting.append(line)
        if self._thread is None or not self._thread.is_alive():
            with self._lock:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._write_repeatedly, name="log", daemon=True)
                    self._thread.start()
                    # A child of multiprocessing runs no atexit.
                    Finalize(self, self.write, exitpriority=0)

    def write(self) -> None:
        """Write the lines that wait."""
        lines = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if lines:
            sys.stdout.write("\n".join([*lines, ""]))
            sys.stdout.flush()

    def _write_repeatedly(self) -> None:
        while True:
            time.sleep(_WRITE_EVERY)
            self.write()


_late_lines = _LateLines()


def _formatter(
    shared: list[structlog.typing.Processor], renderer: list[structlog.typing.Processor]
) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
    )


def _for_machines() -> list[structlog.typing.Processor]:
    # A traceback shows where it happened; its local variables could show passwords.
    without_locals = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [structlog.processors.ExceptionRenderer(without_locals), structlog.processors.JSONRenderer(_to_json)]


def _for_people() -> list[structlog.typing.Processor]:
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty(), sort_keys=False, exception_formatter=plain)]


def _to_json(record: object, **_: object) -> str:
    return orjson.dumps(record, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z).decode()
