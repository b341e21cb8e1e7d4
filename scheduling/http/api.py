"""Flask as this API uses it: a request that PostgreSQL rolled back is tried once more."""

from collections.abc import Callable
from typing import Any

from flask import Flask
from flask.typing import ResponseReturnValue
from psycopg2 import errors as postgres

from sql.database import ConnectionLost

# After these errors PostgreSQL has rolled everything back, or nothing was sent.
_NOTHING_WAS_DONE = (ConnectionLost, postgres.DeadlockDetected, postgres.SerializationFailure)


class Api(Flask):
    """Flask with a second try for a request that PostgreSQL rolled back because of a passing failure."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function unchanged: none of ours is a coroutine, and Flask would check ten times a request."""
        return func

    def dispatch_request(self) -> ResponseReturnValue:
        """Call the route; try once more when nothing was done."""
        try:
            return super().dispatch_request()
        except _NOTHING_WAS_DONE:
            return super().dispatch_request()
