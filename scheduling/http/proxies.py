"""What proxies in front say of a request, as far as they are trusted: its address, its scheme and its prefix."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

# A path of our own host and nothing else: no second slash in front, no dots alone, nothing that is encoded.
_PREFIX = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*){1,20}", re.ASCII)
_LONGEST = 200


def trust_proxies(app: Flask, trusted: int) -> None:
    """Believe the proxies from the right; the prefix is that of the nearest, which sees what it takes from the path."""
    if trusted:
        checked = CheckedPrefix(app.wsgi_app)
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            checked, x_for=trusted, x_proto=trusted, x_prefix=1
        )


@dataclass(frozen=True, slots=True)
class CheckedPrefix:
    """An application that knows of no prefix but a plain path; what else a proxy says is no prefix."""

    app: WSGIApplication

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        prefix = environ.get("SCRIPT_NAME", "").rstrip("/")
        is_prefix = len(prefix) <= _LONGEST and _PREFIX.fullmatch(prefix)
        environ["SCRIPT_NAME"] = prefix if is_prefix else ""
        return self.app(environ, start_response)
