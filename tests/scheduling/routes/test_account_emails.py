"""What the owner of an account is told when somebody changes it."""

from tests.people import PASSWORD
from tests.scheduling.answers import rows


def told(database, kind):
    return rows(database, "SELECT recipient, data FROM emails WHERE kind = %s", kind)


def test_changed_address_is_told_to_the_old_one(people, database):
    old = people.alice.email
    people.alice.patch("/users/me", {"email": "new@example.com"})
    assert told(database, "EMAIL_CHANGED") == [
        {"recipient": old, "data": {"name": "Alice", "new_email": "new@example.com"}}
    ]


def test_same_address_again_is_told_to_nobody(people, database):
    people.alice.patch("/users/me", {"email": people.alice.email.upper(), "name": "Alicia"})
    assert told(database, "EMAIL_CHANGED") == []


def test_changed_password_is_told_to_its_owner(people, database):
    answer = people.alice.patch("/users/me/password", {"currentPassword": PASSWORD, "newPassword": "another one"})
    assert answer.status_code == 200
    assert told(database, "PASSWORD_CHANGED") == [{"recipient": people.alice.email, "data": {"name": "Alice"}}]


def test_wrong_password_tells_nobody(people, database):
    people.alice.patch("/users/me/password", {"currentPassword": "guess", "newPassword": "another one"})
    assert told(database, "PASSWORD_CHANGED") == []
