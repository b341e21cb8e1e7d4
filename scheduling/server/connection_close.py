"""Close a connection after its answer: gunicorn drops the header with which an application would ask for it."""

import threading
from typing import Protocol

_serving = threading.local()


class Closing(Protocol):
    """A request of gunicorn."""

    def force_close(self) -> None:
        """Announce and do it."""


def begin(request: Closing) -> None:
    """Remember which request this thread serves."""
    _serving.request = request


def close_after_answer() -> None:
    """Announce with the answer that the connection ends, because what is left of the body will not be read."""
    request: Closing | None = getattr(_serving, "request", None)
    if request is not None:
        request.force_close()
