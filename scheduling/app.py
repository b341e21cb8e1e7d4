"""Put the application together."""

from flask import Flask
from flask_cors import CORS
from werkzeug.middleware.proxy_fix import ProxyFix

from jobs.logs import configure_logging
from jobs.outbox import open_outbox
from scheduling.access import require_policies
from scheduling.context import Services, attach_services
from scheduling.errors import register_error_handlers
from scheduling.headers import register_headers
from scheduling.json_body import MAX_BODY_BYTES
from scheduling.json_provider import OrjsonProvider
from scheduling.limited import register_default_limit
from scheduling.observation import register_observation
from scheduling.openapi import make_api
from scheduling.passwords import make_passwords
from scheduling.rate_limits import make_rate_limits
from scheduling.requests import Api, IdConverter, register_request_guard
from scheduling.routes import analytics, auth, bookings, docs, health, metrics, notifications, organizations, users
from scheduling.settings import Settings, read_settings
from scheduling.slow_answers import TakenAnswers
from scheduling.tokens import configure_tokens
from sql.database import Database
from sql.pool import Session

PREFIX = "/api/v1"

# What a browser's script may send, and what it may read.
_HEADERS_OF_REQUESTS = [
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "X-Request-ID",
]
_HEADERS_OF_ANSWERS = [
    "ETag",
    "Idempotency-Replayed",
    "Link",
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "Retry-After",
    "X-Request-ID",
]


def create_app(settings: Settings | None = None) -> Flask:
    """Return the application; without settings it reads them from the environment."""
    settings = settings or read_settings()
    configure_logging(in_production=settings.in_production)
    app = Api("scheduling", static_folder=None)
    app.url_map.converters["id"] = IdConverter
    app.url_map.strict_slashes = False
    # A doubled slash would be answered with a redirect to whatever host the client names.
    app.url_map.merge_slashes = False
    app.json = OrjsonProvider(app)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    proxied = ProxyFix(app.wsgi_app, x_for=settings.trusted_proxies, x_proto=settings.trusted_proxies)
    app.wsgi_app = TakenAnswers(proxied)  # type: ignore[method-assign]
    configure_tokens(app, settings)
    attach_services(app, _services(settings))
    register_observation(app, in_production=settings.in_production)
    register_request_guard(app)
    register_default_limit(app)
    register_headers(app)
    _allow_origins(app, settings.cors_origins)
    api = make_api(app)
    for area in (auth, users, bookings, organizations, notifications, analytics):
        api.register_blueprint(area.blueprint, url_prefix=PREFIX + area.blueprint.url_prefix)
    for area in (health, metrics):
        api.register_blueprint(area.blueprint)
    app.register_blueprint(docs.blueprint)
    # Last, because flask-smorest brings handlers of its own.
    register_error_handlers(app)
    require_policies(app)
    return app


def _services(settings: Settings) -> Services:
    return Services(
        settings=settings,
        database=Database(settings.delivery.database_url, size=settings.pool_size, session=Session("web")),
        outbox=open_outbox(settings.delivery),
        rates=make_rate_limits(settings.delivery),
        passwords=make_passwords(settings.bcrypt_rounds, waiting=max(1, settings.threads * 3 // 4)),
    )


def _allow_origins(app: Flask, origins: list[str]) -> None:
    CORS(
        app,
        origins=origins,
        methods=["GET", "POST", "PATCH", "DELETE", "OPTIONS"],
        allow_headers=_HEADERS_OF_REQUESTS,
        expose_headers=_HEADERS_OF_ANSWERS,
        max_age=600,
    )
