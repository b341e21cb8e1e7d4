"""Which new passwords a deployment accepts when it rejects common ones."""

from dataclasses import replace

import pytest

from scheduling.app import create_app
from tests.client import Client, ConformingClient
from tests.people import PASSWORD, Person


@pytest.fixture
def strict(settings, database):
    app = create_app(replace(settings, password_reject_common=True))
    app.test_client_class = ConformingClient
    return Client(app.test_client())


def register(client, password, name="Wilhelmina", email="wilhelmina@example.com"):
    return client.post("/auth/register", {"name": name, "email": email, "password": password})


@pytest.mark.parametrize("password", ["123456", "password", "qwertyuiop", "aaaaaaaaaaaa", "Wilhelmina1"])
def test_password_that_is_easy_to_guess_is_refused(strict, password):
    answer = register(strict, password)
    assert answer.status_code == 400
    assert answer.json["errors"][0]["pointer"] == "/password"


def test_password_with_some_imagination_is_accepted(strict):
    assert register(strict, PASSWORD).status_code == 201


def test_new_password_is_held_to_the_same(strict):
    person = Person(strict, "Wilhelmina")
    for new, status in (("password", 400), ("a brown fox, jumping", 200)):
        change = {"currentPassword": PASSWORD, "newPassword": new}
        assert person.patch("/users/me/password", change).status_code == status


def test_original_rule_stands_unless_the_setting_says_otherwise(client):
    assert register(client, "123456").status_code == 201
