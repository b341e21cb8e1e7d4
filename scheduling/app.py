"""Put the application together."""

from flask import Flask

from jobs.logs import configure_logging
from jobs.outbox import open_outbox
from scheduling.access import require_policies
from scheduling.context import Services, attach_services
from scheduling.cross_origin import allow_origins
from scheduling.errors import register_error_handlers
from scheduling.headers import register_headers
from scheduling.json_body import MAX_BODY_BYTES
from scheduling.json_provider import OrjsonProvider
from scheduling.limited import register_default_limit
from scheduling.locations import PREFIX
from scheduling.measurements import register_measurements
from scheduling.observation import register_observation, whose_request
from scheduling.openapi import make_api
from scheduling.passwords import make_passwords
from scheduling.proxies import trust_proxies
from scheduling.rate_limits import make_rate_limits
from scheduling.requests import Api, IdConverter, register_request_guard
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
from scheduling.settings import Settings, read_settings
from scheduling.slow_answers import TakenAnswers
from scheduling.tokens import configure_tokens
from scheduling.uids import UidConverter
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
    # A doubled slash would be answered with a redirect to whatever host the client names.
    app.url_map.merge_slashes = False
    app.json = OrjsonProvider(app)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    trust_proxies(app, settings.trusted_proxies)
    app.wsgi_app = TakenAnswers(app.wsgi_app)  # type: ignore[method-assign]
    configure_tokens(app, settings)
    services = _services(settings)
    attach_services(app, services)
    register_observation(app, in_production=settings.in_production)
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
