"""Generate the OpenAPI document from the decorators of the routes, once for each application."""

import json
import re
from copy import deepcopy
from typing import Any

from flask import Flask
from flask_smorest import Api

from scheduling.context import services_of
from scheduling.http.converters import IdConverter, UidConverter
from scheduling.openapi.examples import body_example
from scheduling.openapi.operations import complete, components
from scheduling.schemas.common import ProblemOut
from scheduling.schemas.fields import Instant, JsonObject, Number, StrictBoolean

Json = dict[str, Any]

_EXTENSION, _BUILT = "scheduling_openapi", "scheduling_openapi_document"
_METHODS = {"GET", "POST", "PATCH", "DELETE"}
_ID = {"type": "integer", "format": "int64", "minimum": 1}
# No value is refused: what cannot be a uid is not found, and deleting a hold that does not exist succeeds.
_UID = {"type": "string"}

_INFO = {
    "description": "Bookings, organizations, notifications and analytics. Every refusal is a problem document "
    "(RFC 9457) with a stable `code`.",
    "contact": {"name": "Whoever runs this installation"},
    "license": {"name": "ISC", "identifier": "ISC"},
}
_SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "manage_token": {"type": "http", "scheme": "bearer", "bearerFormat": "manage_token of a booking"},
}


def make_api(app: Flask) -> Api:
    """Return flask-smorest's registry of documented blueprints."""
    app.config.update(
        API_TITLE="Scheduling API",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        API_SPEC_OPTIONS={
            "info": _INFO,
            "servers": [{"url": "/"}],
            "components": {"securitySchemes": _SECURITY_SCHEMES},
        },
    )
    api = Api(app)
    api.DEFAULT_ERROR_RESPONSE_NAME = None
    for field, kind, form in (
        (Instant, "string", "date-time"),
        (StrictBoolean, "boolean", None),
        (Number, "integer", None),
        (JsonObject, "object", None),
    ):
        api.register_field(field, kind, form)
    api.register_converter(IdConverter, lambda _converter: dict(_ID))
    api.register_converter(UidConverter, lambda _converter: dict(_UID))
    api.spec.components.schema("Problem", schema=ProblemOut)
    app.extensions[_EXTENSION] = api
    return api


def document(app: Flask) -> Json:
    """Return the document, which is generated on the first request."""
    if _BUILT not in app.extensions:
        app.extensions[_BUILT] = _build(app)
    built: Json = app.extensions[_BUILT]
    return built


def _build(app: Flask) -> Json:
    built: Json = deepcopy(app.extensions[_EXTENSION].spec.to_dict())
    for unused in ("Error", "PaginationMetadata"):
        built["components"]["schemas"].pop(unused, None)
    built["components"].pop("responses", None)
    built["components"] |= components()
    limited = bool(services_of(app).settings.rate_limit_default)
    for rule in app.url_map.iter_rules():
        path = built["paths"].get(_openapi_path(rule.rule), {})
        for method in (rule.methods or set()) & _METHODS:
            if method.lower() in path:
                complete(path[method.lower()], method, app.view_functions[rule.endpoint], limited=limited)
    _describe_defaults(built["components"]["schemas"])
    for path in built["paths"].values():
        _complete_path_parameters(path)
        for operation in (path[method] for method in path if method.upper() in _METHODS):
            _complete_query_parameters(operation)
            _add_examples(operation, built["components"]["schemas"])
    return built


def _openapi_path(rule: str) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)


def _describe_defaults(schemas: Json) -> None:
    """Move the defaults of body fields into their descriptions: generated clients would always send such fields."""
    for schema in schemas.values():
        for field in schema["properties"].values():
            default = field.pop("default", None)
            if default is not None:
                told = f"By default {json.dumps(default)}."
                field["description"] = f"{field['description']} {told}" if "description" in field else told


def _complete_path_parameters(path: Json) -> None:
    for parameter in path.get("parameters", []):
        parameter["description"] = f"The {parameter['name'].replace('_', ' ')}."


def _complete_query_parameters(operation: Json) -> None:
    """Remove null from parameters: only fields of a body can be null."""
    for parameter in operation.get("parameters", []):
        schema = parameter["schema"]
        if "null" in schema["type"]:
            schema["type"] = schema["type"][0]
            schema["enum"] = [value for value in schema.pop("enum", []) if value is not None]
        if parameter["in"] == "query" and schema.get("default", 0) is None:
            del schema["default"]
        if not schema.get("enum", True):
            del schema["enum"]


def _add_examples(operation: Json, schemas: Json) -> None:
    """Add an example to every body, except refusals, which have one for each code."""
    for body in (operation.get("requestBody", {}), *operation["responses"].values()):
        for kind, content in body.get("content", {}).items():
            if kind == "application/json":
                content["example"] = body_example(content["schema"], schemas)
