"""Tests of the embedded servers."""

import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
import redis

from scripts.stack.errors import StackError
from scripts.stack.ports import free_port, remembered_port
from scripts.stack.servers import POSTGRES, THROWAWAY, Postgres, Valkey


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Postgres]:
    with Postgres(tmp_path / "postgres", settings=THROWAWAY) as server:
        yield server


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    with Valkey(tmp_path / "valkey", persist=True) as server:
        yield server


def execute(url: str, statement: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def test_committed_rows_survive_every_way_to_go_down(postgres: Postgres):
    url = postgres.create_database("diary")
    execute(url, "CREATE TABLE entries (title text)")
    execute(url, "INSERT INTO entries VALUES ('a line')")
    postgres.restart("fast")
    postgres.restart("immediate")
    postgres.kill()
    postgres.start()
    assert postgres.create_database("diary") == url
    assert execute(url, "SELECT title FROM entries") == [("a line",)]


def test_paused_postgres_answers_again_when_resumed(postgres: Postgres):
    question = [f"{POSTGRES}/pg_isready", "--host=127.0.0.1", f"--port={postgres.port}", "--timeout=1"]
    no_answer = 2
    postgres.pause()
    assert subprocess.run(question, capture_output=True, check=False).returncode == no_answer
    postgres.resume()
    assert execute(postgres.url, "SELECT 1") == [(1,)]


def test_persistent_valkey_keeps_its_keys_over_a_restart(valkey: Valkey):
    with redis.Redis.from_url(valkey.url) as client:
        client.set("title", "a line")
    valkey.restart()
    with redis.Redis.from_url(valkey.url) as client:
        assert client.get("title") == b"a line"


def test_paused_valkey_can_be_stopped(valkey: Valkey):
    valkey.pause()
    valkey.stop()
    with pytest.raises(StackError, match="not running"):
        valkey.pid  # noqa: B018  the question is the test


@pytest.mark.parametrize("kind", [Postgres, Valkey])
def test_server_that_cannot_start_shows_the_end_of_its_log(tmp_path: Path, postgres: Postgres, kind: type):
    with pytest.raises(StackError, match=r"(?s)ended while it started.*[Aa]ddress already in use"):
        kind(tmp_path / "another", port=postgres.port).start()


def test_nobody_gets_in_without_the_password(postgres: Postgres, valkey: Valkey):
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(host="127.0.0.1", port=postgres.port, user="postgres", password="guess")
    with redis.Redis(port=valkey.port, retry=None) as client, pytest.raises(redis.AuthenticationError):
        client.ping()
    for secret in (postgres.folder / "password", valkey.folder / "password", valkey.folder / "valkey.conf"):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600


def test_port_is_remembered_while_it_is_free(tmp_path: Path, valkey: Valkey):
    note = tmp_path / "port"
    first = remembered_port(note)
    assert remembered_port(note) == first
    note.write_text(str(valkey.port))
    assert remembered_port(note) != valkey.port
    note.write_text("no number")
    assert remembered_port(note) > 0


def test_ports_stay_clear_of_outgoing_connections():
    assert all(20_000 <= free_port() < 32_000 for _ in range(20))
