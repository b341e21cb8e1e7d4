"""The page that shows the OpenAPI document."""

import re
from html.parser import HTMLParser

import pytest


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
    assert 'data-document="/openapi.json"' in page.text
    assert "dataset.document" in client.get("//docs/docs.js").text


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
