"""A client whose every answer is held against the OpenAPI document."""

import re
from functools import cached_property
from typing import Any
from urllib.parse import quote

import jsonschema_rs
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from scheduling.openapi.document import document

PREFIX = "/api/v1"
HELMET = (
    "Content-Security-Policy",
    "Strict-Transport-Security",
    "X-Frame-Options",
    "X-Content-Type-Options",
    "X-XSS-Protection",
    "Referrer-Policy",
    "X-DNS-Prefetch-Control",
    "X-Download-Options",
    "X-Permitted-Cross-Domain-Policies",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy",
    "Origin-Agent-Cluster",
    "X-Request-ID",
)

# Headers that the document names where they are sent, and those that an answer of a status never lacks.
DECLARED = {
    "Allow",
    "ETag",
    "Idempotency-Replayed",
    "Link",
    "Location",
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "Retry-After",
    "WWW-Authenticate",
}
ALWAYS = {201: {"Location"}, 304: {"ETag"}, 401: {"WWW-Authenticate"}, 429: {"Retry-After"}, 503: {"Retry-After"}}


class ConformingClient(FlaskClient):
    """Flask's test client; an answer that the document does not foresee fails the test."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        """Send a request."""
        response = super().open(*args, **kwargs)
        assert_documented(self.application, response)
        return response


class Client:
    """Somebody who talks to the API, with a token or without."""

    def __init__(self, http: FlaskClient, token: str | None = None) -> None:
        self.http = http
        self.token = token

    def with_token(self, token: str) -> "Client":
        """Return the same client, signed in."""
        return Client(self.http, token)

    def send(self, method: str, path: str, body: Any = None, **options: Any) -> TestResponse:
        """Send a request to a path below /api/v1, or to an absolute one that begins with a double slash."""
        url = path[1:] if path.startswith("//") else PREFIX + path
        headers = dict(options.pop("headers", {}))
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        if body is not None:
            options["json"] = body
        return self.http.open(url, method=method, headers=headers, **options)

    def get(self, path: str, **options: Any) -> TestResponse:
        """Read."""
        return self.send("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> TestResponse:
        """Create."""
        return self.send("POST", path, body, **options)

    def patch(self, path: str, body: Any = None, **options: Any) -> TestResponse:
        """Change."""
        return self.send("PATCH", path, body, **options)

    def delete(self, path: str, **options: Any) -> TestResponse:
        """Remove."""
        return self.send("DELETE", path, **options)


class Document:
    """The OpenAPI document of an application, ready to judge answers."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.validators: dict[tuple[str, str, int], Any] = {}

    @cached_property
    def content(self) -> dict[str, Any]:
        """Return the document as a client reads it, but closed: a member that it does not name fails a test."""
        with self.app.app_context():
            content: dict[str, Any] = self.app.json.loads(self.app.json.dumps(document(self.app)))
        for schema in content["components"]["schemas"].values():
            schema["additionalProperties"] = False
        return content

    def judge(self, response: TestResponse) -> None:
        """Fail for an answer that the document does not foresee."""
        with self.app.test_request_context(quote(response.request.path), method=response.request.method) as context:
            rule = context.request.url_rule
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule) if rule else ""
        operation = self.content["paths"].get(path, {}).get(response.request.method.lower())
        if operation is None:
            return
        status, where = response.status_code, f"{response.request.method} {path}"
        view = f"{operation['operationId']}(), the view of {where}"
        answer = operation["responses"].get(str(status))
        code = response.json.get("code") if response.is_json and status >= 400 else None
        assert answer is not None, f'Put @refuses("{code}") above {view}: it answered {status} {response.text}'
        undeclared = (DECLARED & set(response.headers.keys())) - answer.get("headers", {}).keys()
        assert not undeclared, f"Declare {undeclared} above {view}: see scheduling/policies/declarations.py"
        missing = ALWAYS.get(status, set()) - set(response.headers.keys())
        assert not missing, f"{where} {status} lacks {missing}"
        content = next(iter(answer.get("content", {}).values()), {})
        if content and response.is_json:
            body = response.get_json(force=True)
            self._validator(path, response.request.method, status, content["schema"]).validate(body)
            if "examples" in content:
                assert code in content["examples"], f'Put @refuses("{code}") above {view}: it answered {response.text}'

    def _validator(self, path: str, method: str, status: int, schema: dict[str, Any]) -> Any:
        key = (path, method, status)
        if key not in self.validators:
            self.validators[key] = jsonschema_rs.Draft202012Validator(
                {**schema, "components": self.content["components"]}
            )
        return self.validators[key]


def assert_documented(app: Flask, response: TestResponse) -> None:
    """Hold an answer against the document and against what every answer has."""
    missing = [name for name in HELMET if name not in response.headers]
    assert not missing, f"headers are missing: {missing}"
    # /health/ready says what is missing in the shape in which it says that nothing is.
    if response.status_code >= 400 and response.request.path != "/health/ready":
        assert response.content_type == "application/problem+json", response.text
        assert response.json["error"] == response.json["detail"]
    if response.request.method in ("GET", "POST", "PATCH", "DELETE"):
        app.extensions.setdefault("document", Document(app)).judge(response)
