"""Serve the OpenAPI document, and a page that shows it, from our own host."""

from importlib.resources import files
from pathlib import Path

import flask_swagger_ui
from flask import Blueprint, Response, abort, current_app, jsonify, redirect, request, send_from_directory, url_for
from werkzeug.wrappers import Response as BaseResponse

from scheduling.http.headers import allow_docs_page
from scheduling.openapi.document import document
from scheduling.policies.access import public

blueprint = Blueprint("docs", __name__)

_ASSETS = Path(str(files(flask_swagger_ui))) / "dist"
_SHIPPED = frozenset({"swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"})
_WRITTEN = frozenset({"docs.js", "docs.css"})
_OWN = Path(__file__).resolve().parent.parent / "static"
_PAGE = (_OWN / "docs.html").read_text()


@blueprint.get("/")
@public
def read_root() -> BaseResponse:
    """Redirect the root to the reference."""
    return redirect(url_for("docs.read_docs"))


@blueprint.get("/openapi.json")
@public
def read_document() -> Response:
    """Return the OpenAPI 3.1 document."""
    return jsonify({**document(current_app), "servers": [{"url": request.script_root or "/"}]})


@blueprint.get("/docs")
@public
def read_docs() -> Response:
    """Show the API reference."""
    page = Response(_PAGE.replace("{prefix}", request.script_root), mimetype="text/html")
    page.add_etag()
    page.make_conditional(request)
    return allow_docs_page(page)


@blueprint.get("/docs/<name>")
@public
def read_asset(name: str) -> Response:
    """Return an asset that the page uses."""
    if name not in _SHIPPED | _WRITTEN:
        abort(404)
    return allow_docs_page(send_from_directory(_OWN if name in _WRITTEN else _ASSETS, name, max_age=3600))
