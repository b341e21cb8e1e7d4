"""Take the address, scheme and prefix of a request from trusted proxies."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

# A plain path: no two slashes at the start, which would name a host, no dots alone, nothing encoded.
_PREFIX = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*){1,20}", re.ASCII)
_LONGEST = 200


def trust_proxies(app: Flask, trusted: int) -> None:
    """Trust so many proxies from the right; the prefix comes from the nearest one, which removed it from the path."""
    if trusted:
        checked = CheckedPrefix(app.wsgi_app)
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            checked, x_for=trusted, x_proto=trusted, x_prefix=1
        )


@dataclass(frozen=True, slots=True)
class CheckedPrefix:
    """A WSGI application that ignores a prefix which is not a plain path."""

    app: WSGIApplication

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        prefix = environ.get("SCRIPT_NAME", "").rstrip("/")
        is_prefix = len(prefix) <= _LONGEST and _PREFIX.fullmatch(prefix)
        environ["SCRIPT_NAME"] = prefix if is_prefix else ""
        return self.app(environ, start_response)
