"""A PostgreSQL on another network must prove who it is."""

import pytest

from jobs.settings import read_database_url


@pytest.fixture
def read(monkeypatch):
    monkeypatch.delenv("PGSSLMODE", raising=False)

    def read_it(url, **variables):
        for name, value in {"DATABASE_URL": url, **variables}.items():
            monkeypatch.setenv(name, value)
        return read_database_url()

    return read_it


@pytest.mark.parametrize("host", ["db.example.com", "db.example.com:5432", "8.8.8.8"])
def test_certificate_of_another_network_is_verified(read, host):
    assert "sslmode=verify-full" in read(f"postgres://alice:secret@{host}/diary")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:5432", "db", "10.0.0.7", "db.internal", "[::1]:5432", ""])
def test_own_machine_and_network_need_none(read, host):
    url = f"postgres://alice:secret@{host}/diary"
    assert read(url) == url


def test_address_that_names_an_sslmode_keeps_it(read):
    url = "postgres://alice:secret@db.example.com/diary?sslmode=require"
    assert read(url) == url


def test_pgsslmode_says_otherwise(read):
    url = "postgres://alice:secret@db.example.com/diary"
    assert read(url, PGSSLMODE="require") == url


def test_what_else_the_address_says_is_kept(read):
    assert "?connect_timeout=3&sslmode=verify-full&" in read("postgres://a@db.example.com/diary?connect_timeout=3")
