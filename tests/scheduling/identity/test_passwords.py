"""Passwords: every byte counts, in one spelling."""

import unicodedata

import bcrypt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduling.identity.passwords import make_passwords, normalise
from tests.scheduling.answers import rows

SHORT, LONG = "bcrypt", "sha256+bcrypt"


@pytest.fixture(scope="module")
def passwords():
    return make_passwords(4, waiting=4)


@pytest.mark.parametrize(
    ("password", "scheme"),
    [
        ("correct horse", SHORT),
        ("x" * 71, SHORT),
        ("x" * 72, SHORT),
        ("x" * 73, LONG),
        ("😀" * 18, SHORT),
        ("😀" * 19, LONG),
        ("é" * 36, SHORT),
        ("é" * 37, LONG),
        ("x" * 1024, LONG),
        ("😀" * 1024, LONG),
    ],
)
def test_password_is_known_again_on_either_side_of_72_bytes(passwords, password, scheme):
    hashed = passwords.hash(password)
    assert hashed.scheme == scheme
    assert passwords.verify(password, hashed)
    assert not passwords.verify(password + "x", hashed)
    assert not passwords.verify(password[:-1], hashed)
    assert not passwords.verify(password.swapcase() if password.isalpha() and password.isascii() else "x", hashed)


@pytest.mark.parametrize("position", [0, 40, 71, 72, 73, 100, 1023])
def test_every_character_of_a_long_password_counts(passwords, position):
    password = "x" * 1024
    other = password[:position] + "y" + password[position + 1 :]
    assert not passwords.verify(other, passwords.hash(password))


def test_password_that_bcrypt_would_cut_is_another_one(passwords):
    hashed = passwords.hash("x" * 72)
    assert not passwords.verify("x" * 73, hashed)
    assert not passwords.verify("x" * 1024, hashed)


def test_long_password_is_not_its_digest(passwords):
    hashed = passwords.hash("x" * 80)
    assert not bcrypt.checkpw(b"x" * 72, hashed.text.encode())


@pytest.mark.parametrize("password", ["correct horse", "x" * 72, "é😀"])
def test_short_password_is_plain_bcrypt_as_in_the_original(passwords, password):
    hashed = passwords.hash(password)
    assert bcrypt.checkpw(unicodedata.normalize("NFC", password).encode(), hashed.text.encode())
    assert hashed.text.startswith("$2b$04$")


@pytest.mark.parametrize("composed", ["caf\u00e9 noir", "\u1e69" * 10, "\uac00 \uac01 \uac02", "\u00c5ngstrom"])
def test_spellings_of_different_keyboards_are_one_password(passwords, composed):
    decomposed = unicodedata.normalize("NFD", composed)
    assert decomposed != composed
    assert passwords.verify(decomposed, passwords.hash(composed))
    assert passwords.verify(composed, passwords.hash(decomposed))


def test_compatible_characters_are_not_the_same(passwords):
    assert not passwords.verify("ﬁsh and chips", passwords.hash("fish and chips"))


@given(st.text(min_size=1, max_size=100))
@settings(max_examples=50, deadline=None)
def test_normal_form_is_one(password):
    assert normalise(normalise(password)) == normalise(password)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=100), st.data())
@settings(max_examples=60, deadline=None)
def test_only_the_password_itself_is_accepted(password, data):
    passwords = make_passwords(4, waiting=4)
    other = data.draw(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
    hashed = passwords.hash(password)
    assert passwords.verify(password, hashed)
    assert passwords.verify(other, hashed) is (normalise(other) == normalise(password))


@pytest.mark.parametrize("password", ["nobody", "x", "x" * 72, "x" * 1024])
def test_nobody_has_no_password(passwords, password):
    assert passwords.verify(password, None) is False


def test_same_password_gets_another_hash_each_time(passwords):
    assert passwords.hash("correct horse").text != passwords.hash("correct horse").text


def test_hash_does_not_show_in_what_is_logged_about_the_hasher(passwords):
    assert passwords.nobody.text not in repr(passwords)


@pytest.mark.parametrize("password", ["x" * 73, "x" * 1024, "😀" * 19, "😀" * 1024, "e\u0301" * 1024])
def test_long_password_registers_and_signs_in(client, database, password):
    person = {"name": "Dora", "email": "dora@example.com", "password": password}
    assert client.post("/auth/register", person).status_code == 201
    assert rows(database, "SELECT password_scheme FROM users") == [{"password_scheme": LONG}]
    assert client.post("/auth/login", person).status_code == 200
    assert client.post("/auth/login", person | {"password": password[:-2]}).status_code == 401
    assert client.post("/auth/login", person | {"password": password[: len(password) // 2]}).status_code == 401


@pytest.mark.parametrize("password", ["x" * 1025, "😀" * 1025, "a\0bcdef", "\0" * 8])
def test_longer_passwords_and_nul_are_refused(client, password):
    person = {"name": "Dora", "email": "dora@example.com", "password": password}
    assert client.post("/auth/register", person).status_code == 400
    assert client.post("/auth/login", person).status_code == 400
