"""Validate the input of routes, and document them: the blueprint of every area."""

import http
from collections.abc import Callable
from functools import lru_cache, partial, wraps
from typing import Any

import flask_smorest
from flask import Response, jsonify, request
from flask_smorest.utils import unpack_tuple_response
from marshmallow import Schema, ValidationError
from webargs.flaskparser import FlaskParser

from scheduling.errors import ApiError
from scheduling.http.json_body import read_json

View = Callable[..., Any]

# For each route with a query; clients send few different ones.
_CACHED_QUERIES = 256
# How many invalid fields the `detail` names; `errors` has all.
_SHOWN = 3


class Blueprint(flask_smorest.Blueprint):
    """flask-smorest's blueprint with our own parsing of arguments, and without serializing answers a second time.

    A row already has the members of its answer. A response schema only documents it, and the tests compare every
    answer with the document.
    """

    # Used for the document only.
    ARGUMENTS_PARSER = FlaskParser()
    ARGUMENTS_PARSER.DEFAULT_VALIDATION_STATUS = 400

    def arguments(
        self, schema: type[Schema], *, location: str = "json", required: bool = True
    ) -> Callable[[View], View]:
        """Pass the validated body or query to a route; all requests share one instance of the schema."""
        reads = schema()
        document = super().arguments(reads, location=location, required=required)
        read = _query_reader(reads) if location == "query" else partial(_read_body, reads)

        def decorator(view: View) -> View:
            @wraps(view)
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                return view(read(), *args, **kwargs)

            # Keep the documentation alone: parsing with webargs takes as long as all of our validation.
            wrapper._apidoc = document(view)._apidoc  # type: ignore[attr-defined]  # noqa: SLF001
            return wrapper

        return decorator

    def response(
        self, status_code: int, schema: Any = None, *, description: str | None = None, **_options: Any
    ) -> Callable[[View], View]:
        """Document an answer, and set its status."""

        def decorator(view: View) -> View:
            @wraps(view)
            def wrapper(*args: Any, **kwargs: Any) -> Response:
                result = view(*args, **kwargs)
                if isinstance(result, Response):
                    return result
                result, status, headers = unpack_tuple_response(result)
                response = result if isinstance(result, Response) else jsonify(result)
                if status or not isinstance(result, Response):
                    response.status_code = status or status_code
                response.headers.update(headers or {})
                return response

            phrase = description or http.HTTPStatus(status_code).phrase
            document = self.alt_response(status_code, schema=schema, description=phrase, success=True)
            # Keep the documentation alone, without one more call in each request.
            wrapper._apidoc = document(wrapper)._apidoc  # type: ignore[attr-defined]  # noqa: SLF001
            return wrapper

        return decorator


def _read_body(schema: Schema) -> dict[str, Any]:
    """Return the validated body; no body counts as an empty object."""
    body = read_json(request)
    if body is not None and not isinstance(body, dict):
        raise ApiError(400, "validation_error", "The body must be a JSON object")
    try:
        loaded: dict[str, Any] = schema.load(body or {})
    except ValidationError as error:
        raise _refused_body(error.messages) from None
    return loaded


def _query_reader(schema: Schema) -> Callable[[], dict[str, Any]]:
    """Return a function that validates the query of a request, and caches the result by its text."""

    @lru_cache(maxsize=_CACHED_QUERIES)
    def read(_query: bytes) -> dict[str, Any]:
        try:
            loaded: dict[str, Any] = schema.load(_parameters(schema))
        except ValidationError as error:
            raise _refused_query(error.messages) from None
        return loaded

    return lambda: dict(read(request.query_string))


def _parameters(schema: Schema) -> dict[str, str]:
    """Return the parameters that the schema has; raise ApiError 400 for one that is given twice."""
    parameters: dict[str, str] = {}
    for name, field in schema.load_fields.items():
        key = field.data_key or name
        values = request.args.getlist(key)
        if len(values) > 1:
            raise _refused_query({key: ["Give this parameter once."]})
        if any("\0" in value for value in values):
            raise _refused_query({key: ["Must not contain NUL."]})
        if values:
            parameters[key] = values[0]
    return parameters


def _refused_body(messages: Any) -> ApiError:
    return _refusal([{"pointer": pointer, "detail": detail} for pointer, detail in _faults(messages)], "pointer")


def _refused_query(messages: Any) -> ApiError:
    faults = [{"parameter": pointer.lstrip("/"), "detail": detail} for pointer, detail in _faults(messages)]
    return _refusal(faults, "parameter")


def _refusal(faults: list[dict[str, str]], place: str) -> ApiError:
    """Return the refusal: `errors` lists every fault, `detail` the first ones."""
    sentences = [f"{fault[place].lstrip('/') or 'body'}: {fault['detail']}" for fault in faults[:_SHOWN]]
    if len(faults) > _SHOWN:
        sentences.append(f"and {len(faults) - _SHOWN} more in errors")
    detail = "; ".join(sentences)
    return ApiError(400, "validation_error", detail or "The request is invalid", errors=faults)


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
