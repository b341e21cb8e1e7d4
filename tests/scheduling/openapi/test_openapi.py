"""The OpenAPI document: complete, and true as far as it can be told without asking."""

import ast
import re
from pathlib import Path

import jsonschema_rs
import pytest

from scheduling import errors
from scheduling.availability.rules import Rule
from scheduling.openapi.document import document as build
from scheduling.policies.access import Access, access_of
from scheduling.policies.declarations import declared
from scheduling.policies.idempotency import is_idempotent
from scheduling.problems import CODES
from scheduling.server import parse_error

METHODS = {"GET", "POST", "PATCH", "DELETE"}


@pytest.fixture(scope="module")
def document(app):
    return app.test_client().get("/openapi.json").json


def operations(document):
    return {
        (method.upper(), path): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    }


def routes(app):
    return {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)): app.view_functions[rule.endpoint]
        for rule in app.url_map.iter_rules()
        for method in rule.methods & METHODS
        if rule.rule.startswith(("/api/v1/", "/health", "/metrics"))
    }


def references(value):
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def schemas(value):
    if isinstance(value, dict):
        if isinstance(value.get("schema"), dict):
            yield value["schema"]
        for inner in value.values():
            yield from schemas(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from schemas(inner)


def test_document_is_openapi_3_1(document):
    assert document["openapi"] == "3.1.0"
    assert document["info"].keys() >= {"title", "version", "description"}
    assert document.keys() <= {"openapi", "info", "servers", "paths", "components", "tags", "security"}


def test_document_covers_every_route_and_no_other(app, document):
    hidden = routes(app).keys() - operations(document).keys()
    assert not hidden, f"Register the blueprint of {sorted(hidden)} with api.register_blueprint() in scheduling/app.py"
    assert operations(document).keys() == routes(app).keys()
    assert len(operations(document)) >= 30


def test_every_schema_is_json_schema(document):
    found = [*document["components"]["schemas"].values(), *schemas(document["paths"])]
    assert len(found) > 50
    for schema in found:
        jsonschema_rs.meta.validate(schema)


def test_every_reference_leads_somewhere_and_every_component_is_used(document):
    offered = {
        f"#/components/{kind}/{name}"
        for kind, components in document["components"].items()
        for name in components
        if kind != "securitySchemes"
    }
    assert set(references(document)) == offered


def test_every_operation_says_what_it_does_and_what_it_answers(document):
    for (method, path), operation in operations(document).items():
        where = f"{method} {path}"
        assert operation["summary"].strip().endswith("."), where
        assert operation["tags"], where
        assert any(status.startswith("2") for status in operation["responses"]), where
        for status, answer in operation["responses"].items():
            assert answer["description"], where
            if path in ("/metrics", "/health/ready"):
                continue  # each has a shape of its own
            expected = {"304": set()}.get(status, {"application/json" if status < "4" else "application/problem+json"})
            assert answer.get("content", {}).keys() == expected, f"{where} {status}"


def test_every_parameter_of_a_path_is_described(document):
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method == "parameters":
                continue
            described = {
                parameter["name"]
                for parameter in [*item.get("parameters", []), *operation.get("parameters", [])]
                if parameter["in"] == "path"
            }
            assert described == set(re.findall(r"{(\w+)}", path)), f"{method} {path}"


def test_security_is_what_the_route_declares(app, document):
    expected = {
        Access.PUBLIC: [],
        Access.OPTIONAL: [{}, {"bearer": []}],
        Access.AUTHENTICATED: [{"bearer": []}],
        Access.GUEST: [{"manage_token": []}],
        Access.ADMIN: [{"bearer": []}],
    }
    views = routes(app)
    for key, operation in operations(document).items():
        access = access_of(views[key])
        assert operation["security"] == ([] if declared(views[key]).tokenless else expected[access]), key
        needs_token = access in (Access.GUEST, Access.AUTHENTICATED, Access.ADMIN)
        # Beside a key a token must count, also where none is needed.
        refuses_strangers = needs_token or is_idempotent(views[key]) or key[1].endswith(("/login", "/metrics"))
        assert ("401" in operation["responses"]) == refuses_strangers, key
        if access is Access.ADMIN:
            assert "403" in operation["responses"]
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


def test_no_route_takes_a_secret_from_the_address(document):
    named = {
        parameter["name"]
        for operation in operations(document).values()
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "query"
    }
    assert "time_zone" in named
    assert not [name for name in named if any(word in name for word in ("token", "secret", "password", "key"))]


def test_documented_spellings_are_those_of_the_original(document):
    components = document["components"]["schemas"]
    assert components["PasswordChangeIn"]["properties"].keys() == {"currentPassword", "newPassword"}
    assert components["BookingIn"]["properties"].keys() == {"title", "start", "end", "exclusive"}
    assert components["EventIn"]["properties"].keys() == {"eventType", "metadata"}


def test_document_is_the_same_each_time(app, document):
    assert app.test_client().get("/openapi.json").json == document


def bodies(document):
    """Yield every body of every operation: where it is, its media type, its schema and its examples."""
    examples = document["components"]["examples"]
    for where, operation in operations(document).items():
        for place, body in {"request": operation.get("requestBody", {}), **operation["responses"]}.items():
            for kind, content in body.get("content", {}).items():
                named = [
                    examples[each["$ref"].rpartition("/")[2]]["value"] for each in content.get("examples", {}).values()
                ]
                given = [content["example"]] if "example" in content else []
                yield (*where, place), kind, content["schema"], given + named


def test_every_operation_bears_the_name_of_its_view(app, document):
    views = routes(app)
    names = {key: operation["operationId"] for key, operation in operations(document).items()}
    assert names == {key: views[key].__name__ for key in names}
    assert len(set(names.values())) == len(names)
    assert names["PATCH", "/api/v1/notifications/{notification_id}/read"] == "mark_notification_read"


def test_only_what_reads_is_named_reading(document):
    for (method, path), operation in operations(document).items():
        reads = operation["operationId"].startswith(("read_", "list_", "count_", "verify_", "explain_"))
        assert reads == (method == "GET"), (
            f"Rename {operation['operationId']}(), the view of {method} {path}: only a GET is read_…, list_… or count_…"
        )


def test_every_body_and_every_refusal_has_an_example_that_fits(document):
    for where, kind, schema, examples in bodies(document):
        assert examples or kind == "text/plain", where
        closed = jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]})
        for example in examples:
            closed.validate(example)


def test_answer_may_grow_and_says_so(document):
    assert not [name for name, schema in document["components"]["schemas"].items() if "additionalProperties" in schema]


def test_field_of_a_body_has_no_default_that_would_make_it_required_in_clients(document):
    for name, schema in document["components"]["schemas"].items():
        assert not [field for field, inner in schema["properties"].items() if "default" in inner], name
    exclusive = document["components"]["schemas"]["BookingIn"]["properties"]["exclusive"]
    assert exclusive["description"].endswith("By default false.")


def test_query_cannot_be_null(document):
    for where, operation in operations(document).items():
        for parameter in operation.get("parameters", []):
            assert isinstance(parameter["schema"]["type"], str), where
            assert parameter["schema"].get("default", 0) is not None, where
            assert None not in parameter["schema"].get("enum", []), where


def test_ids_in_paths_are_integers_and_uids_are_not(document):
    for path, item in document["paths"].items():
        for parameter in item.get("parameters", []):
            kind = "string" if parameter["name"].endswith("_uid") else "integer"
            assert parameter["schema"]["type"] == kind, path
            assert parameter["description"], path


def test_body_of_a_deletion_is_optional(document):
    for (method, path), operation in operations(document).items():
        if "requestBody" in operation:
            assert operation["requestBody"]["required"] == (method != "DELETE"), path


def test_every_operation_may_be_refused_before_it_is_reached(document):
    for where, operation in operations(document).items():
        assert operation["responses"].keys() >= {"400", "413", "414", "429", "431", "503"}, where


def test_versions_and_refusals_are_those_that_the_route_declares(app, document):
    views = routes(app)
    for (method, path), operation in operations(document).items():
        facts, answers = declared(views[method, path]), operation["responses"]
        heeded = {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "header"}
        assert ("If-None-Match" in heeded) == ("304" in answers) == (facts.conditional and method == "GET"), path
        assert ("If-Match" in heeded) == ("412" in answers) == (facts.conditional and method != "GET"), path
        assert any("ETag" in answer.get("headers", {}) for answer in answers.values()) == facts.etag, path
        for code in facts.refusals:
            content = answers[str(CODES[code][0])]["content"]["application/problem+json"]
            assert code in content["examples"], f"{path} {code}"


def test_headers_are_declared_where_they_are_sent(document):
    for where, operation in operations(document).items():
        for status, answer in operation["responses"].items():
            names = answer.get("headers", {}).keys()
            assert ("Location" in names) == (status == "201"), where
            assert ("WWW-Authenticate" in names) == (status == "401"), where
            assert status not in ("429", "503") or "Retry-After" in names, where
            paged = status == "200" and any(each["name"] == "cursor" for each in operation.get("parameters", []))
            assert ("Link" in names) == paged, where


def test_codes_of_the_document_are_those_of_the_code(document):
    assert document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"] == list(CODES)
    known = {code: status for code, (status, _) in CODES.items()}
    constraints = {code: status for status, code, _ in errors.CONSTRAINTS.values()}
    assert constraints.items() <= known.items()
    assert {code: status for status, code in errors._CODES.items()}.items() <= known.items()
    assert {code: status for status, code in parse_error._CODES.items()}.items() <= known.items()
    assert raised().items() <= known.items()


def raised():
    """Return the codes with which the sources raise ApiError, and their statuses."""
    trees = [ast.parse(path.read_text()) for path in Path("scheduling").rglob("*.py")]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    given = [call.args for call in calls if getattr(call.func, "id", "") == "ApiError"]
    found = {
        code.value: status.value
        for status, code, *_ in given
        if isinstance(code, ast.Constant) and isinstance(status, ast.Constant)
    }
    assert len(found) > 15
    return found


def test_rules_of_the_document_are_those_of_the_engine(document):
    rules = [rule.value for rule in Rule]
    for name in ("FailedRuleOut", "RuleOut"):
        assert document["components"]["schemas"][name]["properties"]["code"]["enum"] == rules


def test_document_is_put_together_once(app):
    with app.app_context():
        assert build(app) is build(app)
