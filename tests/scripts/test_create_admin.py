"""The first administrator is made by a command, under the same rules for passwords as everybody."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.people import PASSWORD
from tests.scheduling.answers import rows

ROOT = Path(__file__).resolve().parents[2]
ADMIN = "ops@example.com"


@pytest.fixture
def command(settings, database):
    def run(*arguments, password=PASSWORD, **environment):
        return subprocess.run(
            [sys.executable, "scripts/create_admin.py", *arguments],
            cwd=ROOT,
            env=os.environ | environment,
            input=f"{password}\n",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def roles(database):
    return {row["email"]: row["role"] for row in rows(database, "SELECT email, role FROM users")}


def test_person_who_is_not_there_is_created(command, database, client):
    made = command(ADMIN)
    assert (made.returncode, made.stdout) == (0, f"{ADMIN} is an administrator now.\n")
    assert roles(database) == {ADMIN: "admin"}
    assert client.post("/auth/login", {"email": ADMIN, "password": PASSWORD}).status_code == 200


def test_person_who_is_there_is_promoted_and_no_password_is_asked_for(command, database, people):
    assert command(people.bob.email, password="").returncode == 0
    assert roles(database)[people.bob.email] == "admin"


def test_dry_run_changes_nothing(command, database):
    assert command(ADMIN, "--dry-run").stdout == f"would create {ADMIN}\n"
    assert roles(database) == {}


@pytest.mark.parametrize(
    ("password", "given", "says"),
    [
        ("12345", {}, "Password must be at least 6 characters"),
        ("password", {"APP_ENV": "production"}, "easy to guess"),
        ("ops@example.com", {"APP_ENV": "production"}, "easy to guess"),
        ("password", {"PASSWORD_REJECT_COMMON": "true"}, "easy to guess"),
    ],
)
def test_password_is_held_to_the_rules_of_the_deployment(command, database, password, given, says):
    refused = command(ADMIN, password=password, **given)
    assert refused.returncode == 1
    assert says in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert roles(database) == {}


def test_common_password_is_taken_where_the_deployment_takes_it(command):
    assert command(ADMIN, password="password").returncode == 0
