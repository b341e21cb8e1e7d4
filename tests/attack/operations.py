"""What can be attacked, read from the OpenAPI document: a new route is attacked unasked."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from flask import Flask

from scheduling.app import create_app
from scheduling.openapi.document import document
from tests.people import PASSWORD, time_on

_numbers = count(1)
# No value is good for every caller; without one the caller is meant.
_OF_THE_CALLER = {"hosts"}
_FORMATS = {"password": PASSWORD, "time-zone": "Europe/Berlin"}


@dataclass(frozen=True)
class Operation:
    """A method of a path, with all that a client may send to it."""

    method: str
    path: str
    fields: dict[str, dict[str, Any]] = field(default_factory=dict)
    query: dict[str, dict[str, Any]] = field(default_factory=dict)
    needed: dict[str, Any] = field(default_factory=dict)
    headers: tuple[str, ...] = ()
    path_names: tuple[str, ...] = ()
    needs_token: bool = False

    def __str__(self) -> str:
        """Return its name, which names the test too."""
        return f"{self.method} {self.path}"

    def url(self, ids: dict[str, object]) -> str:
        """Return its path with ids in their places; what is unknown is 1."""
        return self.path.format(**{name: ids.get(name, 1) for name in self.path_names})

    def body(self) -> dict[str, Any] | None:
        """Return a body that it takes, new each time where that matters."""
        if not self.fields:
            return None
        return {name: sample(name, schema) for name, schema in self.fields.items() if name not in _OF_THE_CALLER}


def sample(name: str, schema: dict[str, Any]) -> Any:
    """Return a value that the contract takes."""
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("format") == "email":
        return f"attacker{next(_numbers)}@example.com"
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    if schema.get("format") == "date-time":
        return time_on(3, 9 if name in ("start", "from") else 10).isoformat()
    if "null" in schema["type"]:
        return None
    least = schema.get("minimum", 1)
    return {"boolean": False, "object": {}, "array": [], "integer": least, "number": least}.get(
        schema["type"], "A value"
    )


def read_operations(app: Flask) -> Iterator[Operation]:
    """Yield every operation of an application's document."""
    with app.app_context():
        content = document(app)
    for path, methods in content["paths"].items():
        shared = methods.get("parameters", [])
        for method, operation in methods.items():
            if method == "parameters":
                continue
            parameters = shared + operation.get("parameters", [])
            places = ("path", "query", "header")
            by_place = {place: [each for each in parameters if each["in"] == place] for place in places}
            yield Operation(
                method.upper(),
                path,
                _fields(operation, content),
                {each["name"]: each["schema"] for each in by_place["query"]},
                {each["name"]: sample(each["name"], each["schema"]) for each in by_place["query"] if each["required"]},
                tuple(each["name"] for each in by_place["header"]),
                tuple(each["name"] for each in by_place["path"]),
                operation.get("security") == [{"bearer": []}],
            )


def _fields(operation: dict[str, Any], content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    if "requestBody" not in operation:
        return {}
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    name = schema["$ref"].rpartition("/")[2]
    properties: dict[str, dict[str, Any]] = content["components"]["schemas"][name]["properties"]
    return properties


def create_app_without_servers() -> Flask:
    """Return the application while tests are collected, before there is a database."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("APP_ENV", "development")
        environment.setenv("JWT_SECRET", "a secret for tests, long enough to be one")
        environment.setenv("DATABASE_URL", "postgresql://nobody@localhost:1/nothing")
        environment.setenv("REDIS_URL", "redis://localhost:1/0")
        environment.setenv("BCRYPT_ROUNDS", "4")
        return create_app()


OPERATIONS = list(read_operations(create_app_without_servers()))
