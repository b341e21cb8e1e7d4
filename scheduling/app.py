"""Create the application."""

from flask import Flask

from jobs.logs import configure_logging
from jobs.outbox import open_outbox
from scheduling.context import Services, attach_services
from scheduling.errors import register_error_handlers
from scheduling.http.api import Api
from scheduling.http.converters import IdConverter, UidConverter
from scheduling.http.cors import allow_origins
from scheduling.http.headers import register_headers
from scheduling.http.json_body import MAX_BODY_BYTES
from scheduling.http.json_provider import OrjsonProvider
from scheduling.http.locations import PREFIX
from scheduling.http.measurements import register_measurements
from scheduling.http.proxies import trust_proxies
from scheduling.http.request_log import register_request_log, whose_request
from scheduling.http.requests import register_request_guard
from scheduling.identity.passwords import make_passwords
from scheduling.identity.rate_limiter import make_rate_limits
from scheduling.identity.tokens import configure_tokens
from scheduling.openapi.document import make_api
from scheduling.policies.access import require_policies
from scheduling.policies.rate_limit import register_default_limit
from scheduling.routes import (
    analytics,
    appointments,
    auth,
    availability,
    bookings,
    docs,
    event_types,
    guest,
    health,
    metrics,
    notifications,
    organizations,
    schedules,
    users,
)
from scheduling.server.response_deadline import ResponseDeadline
from scheduling.settings import Settings, read_settings
from sql.database import Database
from sql.pool import Session


def create_app(settings: Settings | None = None) -> Flask:
    """Return the application; without settings it reads them from the environment."""
    settings = settings or read_settings()
    configure_logging(in_production=settings.in_production, about=whose_request)
    app = Api("scheduling", static_folder=None)
    app.url_map.converters["id"] = IdConverter
    app.url_map.converters["uid"] = UidConverter
    app.url_map.strict_slashes = False
    # Otherwise Flask redirects a path with two slashes, to a host that the client chose.
    app.url_map.merge_slashes = False
    app.json = OrjsonProvider(app)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    trust_proxies(app, settings.trusted_proxies)
    app.wsgi_app = ResponseDeadline(app.wsgi_app)  # type: ignore[method-assign]
    configure_tokens(app, settings)
    services = _services(settings)
    attach_services(app, services)
    register_request_log(app, in_production=settings.in_production)
    register_request_guard(app)
    register_measurements(app, services.database.pool)
    register_default_limit(app, settings.rate_limit_default)
    register_headers(app, allow_origins(app, settings.cors_origins))
    api = make_api(app)
    for area in (
        *(auth, users, bookings, schedules, event_types, appointments, guest, availability),
        *(organizations, notifications, analytics),
    ):
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
        database=Database(
            settings.delivery.database_url,
            size=settings.pool_size,
            session=Session("web", prepares=settings.delivery.prepares),
        ),
        outbox=open_outbox(settings.delivery),
        rates=make_rate_limits(settings.delivery),
        passwords=make_passwords(settings.bcrypt_rounds, waiting=max(1, settings.threads * 3 // 4)),
    )
