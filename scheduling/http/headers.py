"""Set the headers of every answer: the ones that helmet sets in the original, and the id of the request."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, Response, g
from secure import Secure
from secure.headers import (
    CacheControl,
    ContentSecurityPolicy,
    CrossOriginOpenerPolicy,
    CrossOriginResourcePolicy,
    CustomHeader,
    ReferrerPolicy,
    StrictTransportSecurity,
    XContentTypeOptions,
    XFrameOptions,
)

_API_POLICY = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"
# Swagger UI sets style attributes, which need style-src 'unsafe-inline'; its scripts are files of our own host.
_DOCS_POLICY = (
    "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'; connect-src 'self'; "
    "script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'"
)

_SECURE = Secure(
    # Without Cache-Control a cache may reuse an answer (RFC 9111, section 4.2.2), and a slot that is free now is taken
    # by the next request.
    cache=CacheControl().no_cache(),
    csp=ContentSecurityPolicy().value(_API_POLICY),
    hsts=StrictTransportSecurity().max_age(31_536_000).include_subdomains(),
    xfo=XFrameOptions().deny(),
    xcto=XContentTypeOptions(),
    referrer=ReferrerPolicy().no_referrer(),
    coop=CrossOriginOpenerPolicy().same_origin(),
    corp=CrossOriginResourcePolicy().same_origin(),
    custom=[
        CustomHeader("X-XSS-Protection", "0"),
        CustomHeader("X-DNS-Prefetch-Control", "off"),
        CustomHeader("X-Download-Options", "noopen"),
        CustomHeader("X-Permitted-Cross-Domain-Policies", "none"),
        CustomHeader("Origin-Agent-Cluster", "?1"),
    ],
)
HEADERS: dict[str, str] = dict(_SECURE.headers)


@dataclass(frozen=True, slots=True)
class SecurityHeaders:
    """A WSGI application that adds headers to every answer; headers that an answer has already stay."""

    app: WSGIApplication
    items: Sequence[tuple[str, str]]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            names = {name for name, _ in headers}
            return start_response(status, headers + [item for item in self.items if item[0] not in names], *error)

        return self.app(environ, start)


def register_headers(app: Flask, others: Mapping[str, str]) -> None:
    """Add the security headers, and others that never change, to every answer, errors included."""
    # As a WSGI layer it adds the whole list at once; Flask would look each name up for each answer.
    app.wsgi_app = SecurityHeaders(app.wsgi_app, tuple({**HEADERS, **others}.items()))  # type: ignore[method-assign]
    app.after_request(_name_request)


def allow_docs_page(response: Response) -> Response:
    """Replace the API's content security policy with the one that the reference page needs."""
    response.headers["Content-Security-Policy"] = _DOCS_POLICY
    return response


def _name_request(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.request_id
    if g.get("token_at_stake", False):
        response.headers["Cache-Control"] = "no-store"
    return response
