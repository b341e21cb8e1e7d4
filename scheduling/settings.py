"""Read the settings of the API once at the start; a bad value ends the process with one line that names it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import dotenv_values
from environs import Env
from limits import parse_many
from marshmallow import ValidationError
from marshmallow.validate import Range

from jobs.settings import ROOT, DeliverySettings, app_env, delivery_settings, environment

# RFC 7518, section 3.2: a key for HS256 has at least 256 bits.
_SECRET_BYTES = 32
# Long enough, but published in the original's documentation.
_SAMPLE_OF_THE_ORIGINAL = "super_secret_key_change_me_in_production"
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of the API; secrets are left out of its representation."""

    port: int
    threads: int
    pool_size: int
    jwt_secret: str = field(repr=False)
    jwt_secret_previous: str = field(repr=False)
    jwt_expires_days: int
    password_min_length: int
    password_reject_common: bool
    bcrypt_rounds: int
    cors_origins: list[str]
    logout_revokes: bool
    trusted_proxies: int
    metrics_token: str = field(repr=False)
    rate_limit_login_failures: str
    rate_limit_register: str
    rate_limit_events: str
    rate_limit_slots: str
    rate_limit_guests: str
    rate_limit_guest_mails_per_recipient: str
    rate_limit_guest_mails_per_event_type: str
    rate_limit_guest_mails_per_address: str
    holds_per_address: int
    rate_limit_default: str
    delivery: DeliverySettings

    @property
    def in_production(self) -> bool:
        """Tell whether APP_ENV is production."""
        return self.delivery.in_production


def read_settings() -> Settings:
    """Read all settings; raise SystemExit with one line that names what is wrong."""
    with environment() as env:
        return Settings(
            port=env.int("PORT", 3000, validate=Range(1, 65535)),
            threads=env.int("WEB_THREADS", 32, validate=Range(1, 256)),
            pool_size=env.int("DATABASE_POOL_SIZE", 8, validate=Range(1, 256)),
            jwt_secret=env.str("JWT_SECRET", validate=_secret_check(env)),
            jwt_secret_previous=env.str("JWT_SECRET_PREVIOUS", "", validate=_secret_check(env, may_be_empty=True)),
            jwt_expires_days=env.int("JWT_EXPIRES_DAYS", 7, validate=Range(1, 3650)),
            password_min_length=env.int("PASSWORD_MIN_LENGTH", 6, validate=Range(1, 1024)),
            password_reject_common=env.bool("PASSWORD_REJECT_COMMON", app_env(env) == "production"),
            bcrypt_rounds=env.int("BCRYPT_ROUNDS", 10, validate=Range(4, 16)),
            cors_origins=env.list("CORS_ORIGINS", ["*"], validate=_are_origins),
            logout_revokes=env.bool("LOGOUT_REVOKES", False),
            trusted_proxies=env.int("TRUSTED_PROXIES", 0, validate=Range(0, 10)),
            metrics_token=env.str("METRICS_TOKEN", ""),
            rate_limit_login_failures=_rate(env, "RATE_LIMIT_LOGIN_FAILURES", "10 per 15 minutes"),
            rate_limit_register=_rate(env, "RATE_LIMIT_REGISTER", "300 per minute"),
            rate_limit_events=_rate(env, "RATE_LIMIT_EVENTS", "6000 per minute"),
            rate_limit_slots=_rate(env, "RATE_LIMIT_SLOTS", "6000 per minute"),
            rate_limit_guests=_rate(env, "RATE_LIMIT_GUESTS", "6000 per minute"),
            rate_limit_guest_mails_per_recipient=_rate(env, "RATE_LIMIT_GUEST_MAILS_PER_RECIPIENT", "60 per hour"),
            rate_limit_guest_mails_per_event_type=_rate(env, "RATE_LIMIT_GUEST_MAILS_PER_EVENT_TYPE", "2000 per hour"),
            rate_limit_guest_mails_per_address=_rate(env, "RATE_LIMIT_GUEST_MAILS_PER_ADDRESS", "1000 per hour"),
            holds_per_address=env.int("HOLDS_PER_ADDRESS", 20, validate=Range(1, 10_000)),
            rate_limit_default=_rate(env, "RATE_LIMIT_DEFAULT", ""),
            delivery=delivery_settings(env),
        )


def known_secrets(example: Path = ROOT / ".env.example") -> set[str | None]:
    """Return the secrets that are published: in .env.example and in the original's documentation."""
    return {dotenv_values(example).get("JWT_SECRET"), _SAMPLE_OF_THE_ORIGINAL}


def _are_origins(values: list[str]) -> None:
    """Accept origins as browsers send them; flask-cors takes a value with other characters for a regular expression."""
    if not all(value == "*" or _ORIGIN.fullmatch(value) for value in values):
        raise ValidationError("must be * or origins such as https://app.example.com, separated by commas")


def _rate(env: Env, name: str, default: str) -> str:
    return str(env.str(name, default, validate=_is_rate))


def _is_rate(value: str) -> None:
    """Accept a rate that `limits` can parse; empty means no limit."""
    if not value.strip():
        return
    try:
        rates = parse_many(value)
    except ValueError:
        raise ValidationError("must be a rate such as 300 per minute") from None
    if any(rate.amount < 1 for rate in rates):
        raise ValidationError("must allow at least 1")


def _secret_check(env: Env, *, may_be_empty: bool = False) -> Callable[[str], None]:
    in_production = app_env(env) == "production"

    def check(value: str) -> None:
        if not value and may_be_empty:
            return
        if not value:
            raise ValidationError("is missing")
        if in_production and value in known_secrets():
            raise ValidationError("is a published sample; make one with `openssl rand -base64 48`")
        if in_production and len(value.encode()) < _SECRET_BYTES:
            raise ValidationError(f"must have at least {_SECRET_BYTES} bytes in production")

    return check
