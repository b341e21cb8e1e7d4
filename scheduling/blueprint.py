"""The blueprint of every area: strict about what comes in, direct about what goes out, documented by its decorators."""

import http
from collections.abc import Callable
from functools import wraps
from typing import Any, NoReturn

import flask_smorest
from flask import Request, Response, jsonify
from flask_smorest.utils import unpack_tuple_response
from marshmallow import Schema, ValidationError
from webargs.flaskparser import FlaskParser

from scheduling.errors import ApiError
from scheduling.json_body import read_json

View = Callable[..., Any]


class _Parser(FlaskParser):
    """Reads bodies through the one guard, and answers faults in the one shape."""

    def load_json(self, req: Request, schema: Schema) -> Any:
        """Return the body, an empty object when there is none."""
        body = read_json(req)
        if body is None:
            return {}
        if not isinstance(body, dict):
            raise ApiError(400, "validation_error", "The body must be a JSON object")
        return body

    def load_querystring(self, req: Request, schema: Schema) -> Any:
        """Return the parameters that the schema knows; refuse one that is given twice."""
        parameters: dict[str, str] = {}
        for name in schema.load_fields:
            key = schema.load_fields[name].data_key or name
            values = req.args.getlist(key)
            if len(values) > 1:
                raise ValidationError({key: ["Give this parameter once."]})
            if any("\0" in value for value in values):
                raise ValidationError({key: ["Must not contain NUL."]})
            if values:
                parameters[key] = values[0]
        return parameters

    def handle_error(self, error: ValidationError, *_: Any, **__: Any) -> NoReturn:
        """Name every invalid field."""
        messages = error.messages if isinstance(error.messages, dict) else {}
        faults = [
            {"pointer": pointer, "detail": detail}
            for by_field in messages.values()
            for pointer, detail in _faults(by_field)
        ]
        detail = "; ".join(f"{fault['pointer'].lstrip('/') or 'body'}: {fault['detail']}" for fault in faults[:3])
        raise ApiError(400, "validation_error", detail or "The request is invalid", errors=faults)


class Blueprint(flask_smorest.Blueprint):
    """flask-smorest's blueprint, with our parser and with answers that are not dumped twice.

    A row already has the shape of its answer, so a response schema only documents it; the tests hold every answer
    against the document.
    """

    ARGUMENTS_PARSER = _Parser()
    ARGUMENTS_PARSER.DEFAULT_VALIDATION_STATUS = 400

    def arguments(self, schema: type[Schema], *, location: str = "json") -> Callable[[View], View]:
        """Read what a route takes, with one instance of its schema for all requests."""
        decorator: Callable[[View], View] = super().arguments(schema(), location=location)
        return decorator

    def response(
        self, status_code: int, schema: Any = None, *, description: str | None = None, **_options: Any
    ) -> Callable[[View], View]:
        """Document an answer, and give it its status."""

        def decorator(view: View) -> View:
            @wraps(view)
            def wrapper(*args: Any, **kwargs: Any) -> Response:
                result, status, headers = unpack_tuple_response(view(*args, **kwargs))
                response = result if isinstance(result, Response) else jsonify(result)
                if status or not isinstance(result, Response):
                    response.status_code = status or status_code
                response.headers.update(headers or {})
                return response

            phrase = description or http.HTTPStatus(status_code).phrase
            documented: View = self.alt_response(status_code, schema=schema, description=phrase, success=True)(wrapper)
            return documented

        return decorator


def _faults(messages: Any, pointer: str = "") -> list[tuple[str, str]]:
    if isinstance(messages, dict):
        return [
            fault
            for name, inner in messages.items()
            for fault in _faults(inner, pointer if name == "_schema" else f"{pointer}/{name}")
        ]
    if isinstance(messages, list):
        return [fault for inner in messages for fault in _faults(inner, pointer)]
    return [(pointer, str(messages))]
