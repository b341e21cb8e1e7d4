"""A bad value stops the process with one line that names the setting and does not show the value."""

import os
import re
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from scheduling.settings import known_secrets, read_settings

ROOT = Path(__file__).resolve().parents[2]
SECRET = "s3cret " * 6
GOOD = {"DATABASE_URL": "postgresql://app:pa55word@127.0.0.1:5432/app", "JWT_SECRET": SECRET}
KEPT = ("PATH", "HOME", "LANG", "TMPDIR")

BAD = [
    ("PORT", "http"),
    ("PORT", "0"),
    ("PORT", "65536"),
    ("PORT", "80.5"),
    ("WEB_THREADS", "0"),
    ("WEB_THREADS", "many"),
    ("DATABASE_POOL_SIZE", "0"),
    ("DATABASE_POOL_SIZE", "many"),
    ("APP_ENV", "staging"),
    ("APP_ENV", ""),
    ("DATABASE_URL", None),
    ("DATABASE_URL", ""),
    ("DATABASE_URL", "mysql://app:pa55word@localhost/app"),
    ("DATABASE_URL", "localhost/app"),
    ("REDIS_URL", "http://localhost"),
    ("REDIS_URL", "localhost:6379"),
    ("JWT_SECRET", None),
    ("JWT_SECRET", ""),
    ("JWT_EXPIRES_DAYS", "0"),
    ("JWT_EXPIRES_DAYS", "-7"),
    ("JWT_EXPIRES_DAYS", "week"),
    ("PASSWORD_MIN_LENGTH", "0"),
    ("PASSWORD_MIN_LENGTH", "1025"),
    ("BCRYPT_ROUNDS", "3"),
    ("BCRYPT_ROUNDS", "17"),
    ("LOGOUT_REVOKES", "perhaps"),
    ("TRUSTED_PROXIES", "-1"),
    ("TRUSTED_PROXIES", "all"),
    ("EMAIL_PROVIDER", "mailgun"),
    ("EMAIL_PROVIDER", ""),
    ("EMAIL_FROM", ""),
    ("EMAIL_FROM", "Acme <mail@☃.example>"),
    ("EMAIL_API_BASE_URL", "ftp://example.com"),
    ("EMAIL_RATE_LIMIT", "0"),
    ("EMAIL_RATE_LIMIT", "fast"),
    ("EMAIL_RETRY_ATTEMPTS", "0"),
    ("EMAIL_RETRY_ATTEMPTS", "x"),
    ("SMTP_PORT", "0"),
    ("SMTP_PORT", "smtp"),
    ("SMTP_SECURE", "maybe"),
]


@pytest.fixture
def environ(monkeypatch, tmp_path):
    """Offer an environment that holds good settings and nothing else, in a folder without an .env."""
    for name in os.environ.keys() - set(KEPT):
        monkeypatch.delenv(name)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("jobs.settings.ROOT", tmp_path)
    return monkeypatch


def refusal(environ, **values):
    for name, value in values.items():
        if value is None:
            environ.delenv(name)
        else:
            environ.setenv(name, value)
    with pytest.raises(SystemExit) as stop:
        read_settings()
    return str(stop.value)


def test_defaults_are_those_of_the_contract(environ):
    settings = read_settings()
    assert (settings.port, settings.jwt_expires_days, settings.password_min_length) == (3000, 7, 6)
    assert (settings.bcrypt_rounds, settings.cors_origins, settings.trusted_proxies) == (10, ["*"], 0)
    assert settings.logout_revokes is False
    email = settings.delivery.email
    assert (email.provider, email.rate_limit, email.retry_attempts) == ("mock", 30, 3)
    assert settings.delivery.app_env == "development"


@pytest.mark.parametrize(("name", "value"), BAD)
def test_bad_value_is_refused_with_one_line_that_names_the_setting(environ, name, value):
    line = refusal(environ, **{name: value})
    assert name in line
    assert len(line.splitlines()) == 1
    assert not value or value.isdigit() or value not in line.replace(name, "")
    assert SECRET not in line
    assert "pa55word" not in line
    assert [other for other in dict(BAD) if re.search(rf"\b{other}\b", line)] == [name]


def test_all_faults_are_named_in_one_line(environ):
    line = refusal(environ, PORT="x", BCRYPT_ROUNDS="99", DATABASE_URL=None)
    assert len(line.splitlines()) == 1
    assert all(name in line for name in ("PORT", "BCRYPT_ROUNDS", "DATABASE_URL"))


@pytest.mark.parametrize(
    "value", [" ", "10 per", "ten per minute", "0 per minute", "-1 per minute", "10 per fortnight"]
)
def test_rate_limit_that_is_none_is_refused(environ, value):
    if value == " ":
        environ.setenv("RATE_LIMIT_REGISTER", value)
        assert not read_settings().rate_limit_register.strip()
    else:
        assert "RATE_LIMIT_REGISTER" in refusal(environ, RATE_LIMIT_REGISTER=value)


@pytest.mark.parametrize("url", ["postgres://a:b@localhost/app", "postgresql://localhost/app?sslmode=require"])
def test_either_scheme_of_postgresql_is_accepted(environ, url):
    environ.setenv("DATABASE_URL", url)
    assert read_settings().delivery.database_url == url


@pytest.mark.parametrize("url", ["redis://localhost:6379/0", "rediss://:x@example.com:6380"])
def test_redis_with_and_without_tls_is_accepted(environ, url):
    environ.setenv("REDIS_URL", url)
    assert read_settings().delivery.redis.url == url


@pytest.mark.parametrize(
    ("app_env", "node_env", "production"),
    [
        (None, None, False),
        (None, "production", True),
        (None, "development", False),
        (None, "test", False),
        ("development", "production", False),
        ("production", "development", True),
        ("production", None, True),
    ],
)
def test_node_env_is_honoured_when_app_env_is_unset(environ, app_env, node_env, production):
    for name, value in (("APP_ENV", app_env), ("NODE_ENV", node_env)):
        if value:
            environ.setenv(name, value)
    assert read_settings().in_production is production


@pytest.mark.parametrize("name", ["APP_ENV", "NODE_ENV"])
@pytest.mark.parametrize("setting", ["JWT_SECRET", "JWT_SECRET_PREVIOUS"])
@pytest.mark.parametrize("sample", sorted(known_secrets()))
def test_published_secret_is_refused_in_production(environ, name, setting, sample):
    line = refusal(environ, **{setting: sample, name: "production"})
    assert setting in line
    assert sample not in line


def test_sample_of_the_original_is_among_the_published_secrets():
    assert "super_secret_key_change_me_in_production" in known_secrets()
    assert len(known_secrets()) == 2


@pytest.mark.parametrize(
    ("values", "rejects"),
    [
        ({}, False),
        ({"APP_ENV": "production"}, True),
        ({"NODE_ENV": "production"}, True),
        ({"APP_ENV": "production", "PASSWORD_REJECT_COMMON": "false"}, False),
        ({"PASSWORD_REJECT_COMMON": "true"}, True),
    ],
)
def test_common_passwords_are_rejected_in_production_unless_the_setting_says_otherwise(environ, values, rejects):
    for name, value in values.items():
        environ.setenv(name, value)
    assert read_settings().password_reject_common is rejects


@pytest.mark.parametrize(("secret", "good"), [("x" * 31, False), ("x" * 32, True), ("é" * 16, True), ("é" * 15, False)])
def test_secret_has_at_least_32_bytes_in_production(environ, secret, good):
    environ.setenv("APP_ENV", "production")
    if good:
        environ.setenv("JWT_SECRET", secret)
        assert read_settings().jwt_secret == secret
    else:
        line = refusal(environ, JWT_SECRET=secret)
        assert "JWT_SECRET" in line
        assert secret not in line


@pytest.mark.parametrize("secret", ["short", *sorted(known_secrets())])
def test_development_takes_any_secret(environ, secret):
    environ.setenv("JWT_SECRET", secret)
    assert read_settings().jwt_secret == secret


@pytest.mark.parametrize("provider", ["sendgrid", "resend"])
def test_provider_needs_its_key(environ, provider):
    assert "EMAIL_API_KEY" in refusal(environ, EMAIL_PROVIDER=provider)
    environ.setenv("EMAIL_API_KEY", "key")
    assert read_settings().delivery.email.provider == provider


def test_smtp_needs_its_host(environ):
    assert "SMTP_HOST" in refusal(environ, EMAIL_PROVIDER="smtp")
    environ.setenv("SMTP_HOST", "localhost")
    assert read_settings().delivery.email.smtp_port == 587


def test_origins_are_separated_by_commas(environ):
    environ.setenv("CORS_ORIGINS", "https://a.example,https://b.example")
    assert read_settings().cors_origins == ["https://a.example", "https://b.example"]


def test_env_file_is_read_in_development_and_what_is_set_already_wins(environ, tmp_path):
    (tmp_path / ".env").write_text("PORT=4000\nBCRYPT_ROUNDS=5\n")
    environ.setenv("PORT", "5000")
    environ.setenv("BCRYPT_ROUNDS", "4")  # so that the file's value does not stay behind
    environ.delenv("BCRYPT_ROUNDS")
    settings = read_settings()
    assert (settings.port, settings.bcrypt_rounds) == (5000, 5)


def test_env_file_is_not_read_in_production(environ, tmp_path):
    (tmp_path / ".env").write_text("PORT=4000\n")
    environ.setenv("APP_ENV", "production")
    assert read_settings().port == 3000


# The process itself


def check_config(**values):
    inherited = {name: os.environ[name] for name in KEPT if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "gunicorn", "--check-config", "wsgi:app"],
        cwd=ROOT,
        env=inherited | GOOD | values,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_gunicorn_accepts_good_settings():
    checked = check_config()
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize(
    ("name", "value"), [("JWT_EXPIRES_DAYS", "many"), ("DATABASE_URL", "mysql://app:pa55word@localhost")]
)
def test_gunicorn_stops_with_one_line_that_names_the_setting(name, value):
    checked = check_config(**{name: value})
    assert checked.returncode != 0
    lines = (checked.stdout + checked.stderr).strip().splitlines()
    assert len(lines) == 1, lines
    assert name in lines[0]
    assert value not in lines[0]


@pytest.mark.parametrize(
    "command", [["gunicorn", "--check-config", "wsgi:app"], ["rq.cli", "worker", "--config", "jobs.rq_config"]]
)
def test_last_line_is_json_in_production(command):
    inherited = {name: os.environ[name] for name in KEPT if name in os.environ}
    bad = {"APP_ENV": "production", "DATABASE_URL": "mysql://app:pa55word@localhost"}
    stopped = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=inherited | GOOD | bad,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert stopped.returncode != 0
    line = orjson.loads(stopped.stdout + stopped.stderr)
    assert (line["level"], "DATABASE_URL" in line["event"]) == ("critical", True)
