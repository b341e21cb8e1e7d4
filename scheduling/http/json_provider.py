"""Serialize answers with orjson; times are in UTC and end with `Z`."""

from typing import Any

import orjson
from flask import Response
from flask.json.provider import JSONProvider

_OPTIONS = orjson.OPT_UTC_Z


class OrjsonProvider(JSONProvider):
    """Flask's JSON provider, with orjson."""

    def dumps(self, obj: Any, **_: Any) -> str:
        """Return a JSON text."""
        return orjson.dumps(obj, option=_OPTIONS).decode()

    def loads(self, s: str | bytes, **_: Any) -> Any:
        """Parse a JSON text."""
        return orjson.loads(s)

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """Return a JSON answer."""
        body = self._prepare_response_obj(args, kwargs)
        return Response(orjson.dumps(body, option=_OPTIONS), mimetype="application/json")
