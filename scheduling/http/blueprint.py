"""The blueprint of every area: strict about what comes in, direct about what goes out, documented by its decorators."""

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

# Of each list; clients ask in few ways.
_REMEMBERED = 256
# How many invalid fields the sentence names; all are in `errors`.
_SHOWN = 3


class Blueprint(flask_smorest.Blueprint):
    """flask-smorest's blueprint, with our reading of arguments and with answers that are not dumped twice.

    A row already has the shape of its answer, so a response schema only documents it; the tests hold every answer
    against the document.
    """

    # It documents only.
    ARGUMENTS_PARSER = FlaskParser()
    ARGUMENTS_PARSER.DEFAULT_VALIDATION_STATUS = 400

    def arguments(
        self, schema: type[Schema], *, location: str = "json", required: bool = True
    ) -> Callable[[View], View]:
        """Read what a route takes, with one instance of its schema for all requests."""
        reads = schema()
        document = super().arguments(reads, location=location, required=required)
        read = _query_reader(reads) if location == "query" else partial(_read_body, reads)

        def decorator(view: View) -> View:
            @wraps(view)
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                return view(read(), *args, **kwargs)

            # Only the document is wanted: reading through webargs costs as much as all validation.
            wrapper._apidoc = document(view)._apidoc  # type: ignore[attr-defined]  # noqa: SLF001
            return wrapper

        return decorator

    def response(
        self, status_code: int, schema: Any = None, *, description: str | None = None, **_options: Any
    ) -> Callable[[View], View]:
        """Document an answer, and give it its status."""

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
            # Only the document is wanted, not one more call in each request.
            wrapper._apidoc = document(wrapper)._apidoc  # type: ignore[attr-defined]  # noqa: SLF001
            return wrapper

        return decorator


def _read_body(schema: Schema) -> dict[str, Any]:
    """Return the body through the one guard, an empty object when there is none."""
    body = read_json(request)
    if body is not None and not isinstance(body, dict):
        raise ApiError(400, "validation_error", "The body must be a JSON object")
    try:
        loaded: dict[str, Any] = schema.load(body or {})
    except ValidationError as error:
        raise _refused_body(error.messages) from None
    return loaded


def _query_reader(schema: Schema) -> Callable[[], dict[str, Any]]:
    """Return a function that reads the query of a request, each query once: the same text always means the same."""

    @lru_cache(maxsize=_REMEMBERED)
    def read(_query: bytes) -> dict[str, Any]:
        try:
            loaded: dict[str, Any] = schema.load(_parameters(schema))
        except ValidationError as error:
            raise _refused_query(error.messages) from None
        return loaded

    return lambda: dict(read(request.query_string))


def _parameters(schema: Schema) -> dict[str, str]:
    """Return the parameters that the schema knows; refuse one that is given twice."""
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
    """Name everything that is invalid, and the first of it in a sentence."""
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
