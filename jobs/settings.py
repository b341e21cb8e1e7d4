"""Read the settings of delivery from the environment; report all faults at once, in one line."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parseaddr
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, cast, get_args
from urllib.parse import urlencode, urlsplit, urlunsplit

import certifi
import psycopg2
from environs import Env, EnvValidationError
from marshmallow import ValidationError
from marshmallow.validate import OneOf, Range
from psycopg2.extensions import parse_dsn

from jobs.addresses import mailbox_to_ascii
from jobs.connection import RedisAddress
from jobs.logs import json_line

ROOT = Path(__file__).resolve().parent.parent

Provider = Literal["mock", "smtp", "sendgrid", "resend"]
PROVIDERS = get_args(Provider)
# Each claim looks through the slots, so there are no more than these.
_MOST_SLOTS = 6000
# One slot in so many is reserved for account mail, and at most so many slots.
_RESERVED_SHARE, _MOST_RESERVED = 6, 50


@dataclass(frozen=True, slots=True)
class EmailSettings:
    """Hold how mails are sent: by which provider, from which sender, how often. Its repr shows no secrets."""

    provider: Provider
    sender: str
    rate_limit: int
    retry_attempts: int
    api_key: str = field(default="", repr=False)
    api_base_url: str = ""
    smtp_host: str = ""
    smtp_port: int = 587
    smtp_user: str = ""
    smtp_password: str = field(default="", repr=False)
    smtp_secure: bool = False
    mock_folder: str = ""
    mock_delay: float = 1.0
    concurrency: int = 32

    @property
    def rate_window(self) -> int:
        """Return the seconds in which a slot is used once: the minute of the limit, a second of it when it is large."""
        return 60 if self.rate_limit <= _MOST_SLOTS else 1

    @property
    def rate_slots(self) -> int:
        """Return how many mails may be offered in a window."""
        return self.rate_limit * self.rate_window // 60

    @property
    def reserved_slots(self) -> int:
        """Return how many of the slots, the first ones, are used for account mail only."""
        return min(self.rate_slots // _RESERVED_SHARE, _MOST_RESERVED)


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """Hold what the API and the worker both need: PostgreSQL, Redis, e-mail, and how long events are kept."""

    app_env: str
    database_url: str = field(repr=False)
    redis: RedisAddress
    email: EmailSettings
    # Off behind a pooler that assigns a connection to one transaction at a time.
    prepares: bool = True
    # How many whole months of events are kept before the current one; 0 keeps all.
    analytics_retention_months: int = 0

    @property
    def in_production(self) -> bool:
        """Tell whether APP_ENV says production."""
        return self.app_env == "production"


@contextmanager
def environment() -> Iterator[Env]:
    """Yield a reader of the environment; a bad value ends the process with one line that names the setting.

    In development the file `.env` is read as well; the environment takes precedence.
    """
    env = Env(eager=False)
    if _app_env() != "production" and (ROOT / ".env").is_file():
        env.read_env(ROOT / ".env", recurse=False)
    yield env
    try:
        env.seal()
    except EnvValidationError as error:
        messages = cast("dict[str, list[str]]", error.error_messages)
        faults = "; ".join(f"{name}: {' '.join(dict.fromkeys(says))}" for name, says in messages.items())
        raise SystemExit(_message(f"Bad setting. {faults}")) from None


def _message(sentence: str) -> str:
    """Return a sentence in the format of the log."""
    return json_line(sentence, "critical") if _app_env() == "production" else sentence


def read_delivery_settings() -> DeliverySettings:
    """Read the settings of the worker; raise SystemExit with one line that names each bad one."""
    with environment() as env:
        return delivery_settings(env)


def read_database_url() -> str:
    """Read DATABASE_URL, the one setting that migrations need."""
    with environment() as env:
        return _database_url(env)


def delivery_settings(env: Env) -> DeliverySettings:
    """Read the settings of delivery; the reader collects faults."""
    return DeliverySettings(
        app_env=app_env(env),
        database_url=_database_url(env),
        prepares=env.bool("DATABASE_PREPARED_STATEMENTS", True),
        redis=RedisAddress(
            url=env.str("REDIS_URL", "redis://localhost:6379/0", validate=_is_redis_url),
            ca_cert=env.str("REDIS_CA_CERT", "", validate=_is_file),
            verifies=env.bool("REDIS_VERIFY_CERTIFICATE", True),
        ),
        email=_email_settings(env),
        analytics_retention_months=env.int("ANALYTICS_RETENTION_MONTHS", 0, validate=Range(0, 1200)),
    )


def app_env(env: Env) -> str:
    """Read APP_ENV, or what NODE_ENV says when it is unset."""
    if "APP_ENV" not in os.environ:
        return _app_env()
    return str(env.str("APP_ENV", validate=OneOf(["development", "production"], error=_one_of)))


def _email_settings(env: Env) -> EmailSettings:
    provider = env.str("EMAIL_PROVIDER", "mock", validate=OneOf(PROVIDERS, error=_one_of))
    base_url = env.str("EMAIL_API_BASE_URL", "", validate=_is_http_url)
    # A proxy or a fake provider at EMAIL_API_BASE_URL may need no key; the provider itself always does.
    needs_key = provider in ("sendgrid", "resend") and not base_url
    secure = env.bool("SMTP_SECURE", False)
    return EmailSettings(
        provider=cast("Provider", provider),
        sender=env.str("EMAIL_FROM", "noreply@example.com", validate=_is_mailbox),
        rate_limit=env.int("EMAIL_RATE_LIMIT", 30, validate=Range(1, 1_000_000)),
        retry_attempts=env.int("EMAIL_RETRY_ATTEMPTS", 3, validate=Range(1, 100)),
        concurrency=env.int("EMAIL_CONCURRENCY", 32, validate=Range(1, 200)),
        api_key=_text(env, "EMAIL_API_KEY", required=needs_key),
        api_base_url=(base_url or "").rstrip("/"),
        smtp_host=_text(env, "SMTP_HOST", required=provider == "smtp"),
        smtp_port=env.int("SMTP_PORT", 465 if secure else 587, validate=Range(1, 65535)),
        smtp_user=env.str("SMTP_USER", ""),
        smtp_password=env.str("SMTP_PASS", ""),
        smtp_secure=secure,
        mock_folder=env.str("EMAIL_MOCK_FOLDER", ""),
        mock_delay=env.float("EMAIL_MOCK_DELAY", 1.0, validate=Range(0, 10)),
    )


def _text(env: Env, name: str, *, required: bool) -> str:
    return str(env.str(name, validate=_is_present) if required else env.str(name, ""))


def _app_env() -> str:
    default = "production" if os.environ.get("NODE_ENV") == "production" else "development"
    return os.environ.get("APP_ENV", default)


_one_of = "must be one of {choices}"


def _is_present(value: str) -> None:
    if not value.strip():
        raise ValidationError("is missing")


def _is_mailbox(value: str) -> None:
    """Accept an address, with a name or without."""
    name, _, domain = parseaddr(value)[1].rpartition("@")
    try:
        mailbox_to_ascii(value)
    except ValueError:
        domain = ""
    if not name or not domain:
        raise ValidationError("must be an address such as Scheduling <noreply@example.com>")


def _is_file(value: str) -> None:
    if value and not Path(value).is_file():
        raise ValidationError("is not a file")


def _is_http_url(value: str) -> None:
    if value and not value.startswith(("http://", "https://")):
        raise ValidationError("must begin with http:// or https://")


def _is_redis_url(value: str) -> None:
    if not value.startswith(("redis://", "rediss://", "unix://")):
        raise ValidationError("must begin with redis:// or rediss://")


def _is_postgres_url(value: str) -> None:
    if not value.startswith(("postgres://", "postgresql://")):
        raise ValidationError("must begin with postgres:// or postgresql://")
    try:
        urlsplit(value)
        parse_dsn(value)
    except (ValueError, psycopg2.ProgrammingError):
        raise ValidationError("is not an address of PostgreSQL") from None


def _database_url(env: Env) -> str:
    return _verified(str(env.str("DATABASE_URL", validate=_is_postgres_url)))


def _verified(url: str) -> str:
    """Verify the certificate of a server on another network, which libpq does not do by default.

    An sslmode in the address, or PGSSLMODE, overrides this.
    """
    parts = urlsplit(url)
    if "sslmode=" in parts.query or "PGSSLMODE" in os.environ or not _is_elsewhere(parts.hostname or ""):
        return url
    verification = urlencode({"sslmode": "verify-full", "sslrootcert": certifi.where()})
    return urlunsplit(parts._replace(query=f"{parts.query}&{verification}".lstrip("&")))


def _is_elsewhere(host: str) -> bool:
    """Tell whether a host is on the internet, and not on this machine or its network."""
    try:
        return ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith((".local", ".internal", ".localdomain"))
