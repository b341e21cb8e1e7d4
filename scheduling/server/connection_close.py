"""Let the application close a connection after its answer; gunicorn drops the header that would ask for it."""

import threading
from typing import Protocol

_serving = threading.local()


class Closing(Protocol):
    """A request of gunicorn."""

    def force_close(self) -> None:
        """Send `Connection: close` with the answer, and close the connection after it."""


def begin(request: Closing) -> None:
    """Remember which request this thread serves."""
    _serving.request = request


def close_after_answer() -> None:
    """Close the connection after this answer, because the rest of the body will not be read."""
    request: Closing | None = getattr(_serving, "request", None)
    if request is not None:
        request.force_close()
