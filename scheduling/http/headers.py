"""The headers that every answer bears: helmet's set, as the original sends it."""

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
# The page styles elements through attributes, which only style-src 'unsafe-inline' allows; scripts are files of ours.
_DOCS_POLICY = (
    "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'; connect-src 'self'; "
    "script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'"
)

_SECURE = Secure(
    # Without a word about it a cache may keep an answer as long as it likes (RFC 9111, section 4.2.2), and what is free
    # now is taken with the next request.
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
    """An application whose every answer bears the headers; one that it sets itself stays as it is."""

    app: WSGIApplication
    items: Sequence[tuple[str, str]]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            names = {name for name, _ in headers}
            return start_response(status, headers + [item for item in self.items if item[0] not in names], *error)

        return self.app(environ, start)


def register_headers(app: Flask, others: Mapping[str, str]) -> None:
    """Add the headers, and others that never change, to every answer, errors included."""
    # Below Flask: the same pairs are not worth looking up one by one for each answer.
    app.wsgi_app = SecurityHeaders(app.wsgi_app, tuple({**HEADERS, **others}.items()))  # type: ignore[method-assign]
    app.after_request(_name_request)


def allow_docs_page(response: Response) -> Response:
    """Give the reference page the policy that it needs instead of the API's."""
    response.headers["Content-Security-Policy"] = _DOCS_POLICY
    return response


def _name_request(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.request_id
    if g.get("token_at_stake", False):
        response.headers["Cache-Control"] = "no-store"
    return response
