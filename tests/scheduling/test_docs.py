"""The OpenAPI document, and the page that shows it."""

import re
from html.parser import HTMLParser

import jsonschema_rs
import pytest

from scheduling.access import Access, access_of

METHODS = {"GET", "POST", "PATCH", "DELETE"}
SCHEMAS = "#/components/schemas/"


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
    assert operations(document).keys() == routes(app).keys()
    assert len(operations(document)) >= 30


def test_every_schema_is_json_schema(document):
    found = [*document["components"]["schemas"].values(), *schemas(document["paths"])]
    assert len(found) > 50
    for schema in found:
        jsonschema_rs.meta.validate(schema)


def test_every_reference_leads_somewhere_and_every_schema_is_used(document):
    used = set(references(document))
    assert used == {SCHEMAS + name for name in document["components"]["schemas"]}


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
        Access.PUBLIC: None,
        Access.OPTIONAL: [{}, {"bearer": []}],
        Access.AUTHENTICATED: [{"bearer": []}],
        Access.GUEST: [{"manage_token": []}],
        Access.ADMIN: [{"bearer": []}],
    }
    views = routes(app)
    for key, operation in operations(document).items():
        access = access_of(views[key])
        assert operation.get("security") == expected[access], key
        needs_token = access in (Access.GUEST, Access.AUTHENTICATED, Access.ADMIN)
        refuses_strangers = needs_token or key[1].endswith(("/login", "/metrics"))
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


# The page


class Sources(HTMLParser):
    """Collects what a page loads, and what it does by itself."""

    def __init__(self):
        super().__init__()
        self.loaded, self.linked, self.inline = [], [], []
        self.open_tag = ""

    def handle_starttag(self, tag, attrs):
        """Note what a tag loads."""
        self.open_tag = tag
        given = dict(attrs)
        (self.linked if tag == "a" else self.loaded).extend(given[name] for name in ("src", "href") if given.get(name))
        self.inline += [name for name in given if name.startswith("on") or name == "style"]

    def handle_data(self, data):
        """Note what stands inside of scripts and styles."""
        if self.open_tag in ("script", "style") and data.strip():
            self.inline.append(data)

    def handle_endtag(self, tag):
        """Leave a tag."""
        self.open_tag = ""


@pytest.fixture
def page(client):
    answer = client.get("//docs")
    assert answer.status_code == 200
    return answer


@pytest.fixture
def sources(page):
    parser = Sources()
    parser.feed(page.text)
    return parser


def policy(answer):
    directives = (directive.split() for directive in answer.headers["Content-Security-Policy"].split(";"))
    return {name: values for name, *values in directives}


def test_page_shows_the_document(page, client):
    assert page.content_type == "text/html; charset=utf-8"
    assert "/openapi.json" in client.get("//docs/docs.js").text


def test_page_runs_scripts_of_our_own_host_only(page):
    directives = policy(page)
    assert directives["default-src"] == ["'none'"]
    assert directives["script-src"] == ["'self'"]
    assert directives["connect-src"] == ["'self'"]
    assert directives["frame-ancestors"] == directives["base-uri"] == ["'none'"]
    assert not re.search(r"https?:|\*|unsafe-eval", page.headers["Content-Security-Policy"])


def test_page_loads_nothing_from_another_host_and_nothing_inline(sources):
    assert len(sources.loaded) >= 4
    assert all(re.fullmatch(r"/docs/[\w.-]+", source) for source in sources.loaded)
    assert sources.linked == ["/openapi.json"]
    assert sources.inline == []


def test_every_asset_of_the_page_is_there(sources, client):
    kinds = {"css": "text/css", "js": "text/javascript", "png": "image/png"}
    for source in sources.loaded:
        answer = client.get(f"/{source}")
        assert answer.status_code == 200, source
        assert answer.content_type.startswith(kinds[source.rpartition(".")[2]]), source
        assert len(answer.data) > 10


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_bare_address_leads_to_the_reference(client, method):
    answer = client.send(method, "//")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/docs")


def test_bare_address_can_only_be_read(client):
    assert client.post("//").status_code == 405


@pytest.mark.parametrize("source", ["docs.css", "swagger-ui.css"])
def test_styles_import_nothing_from_another_host(client, source):
    styles = client.get(f"//docs/{source}").text
    assert "@import" not in styles
    assert all(target.startswith("data:") for target in re.findall(r"url\(\s*['\"]?([^'\")]*)", styles))


@pytest.mark.parametrize(
    "name",
    [
        "index.html",
        "swagger-initializer.js",
        "../app.py",
        "..%2fapp.py",
        "%2e%2e/app.py",
        "docs.html",
        "x",
        "docs.js/x",
        "%00",
    ],
)
def test_nothing_else_is_served(client, name):
    assert client.get(f"//docs/{name}").status_code == 404


def test_asset_that_the_browser_has_is_304(client):
    first = client.get("//docs/docs.js")
    again = client.get("//docs/docs.js", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
