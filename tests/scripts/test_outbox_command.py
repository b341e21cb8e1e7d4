"""The operator's list of mails says when it does not list all."""

import pytest
from click.testing import CliRunner

from scripts.outbox import main
from tests.scheduling.answers import rows


@pytest.fixture
def outbox(database_url, database):
    """Return a function that runs the command on three dead mails."""
    rows(
        database,
        "INSERT INTO emails (kind, recipient, data, status, settled_at)"
        " SELECT 'WELCOME', 'ada@example.com', '{\"name\": \"Ada\"}', 'dead', now() FROM generate_series(1, 3)",
    )

    def run(*arguments):
        return CliRunner(env={"DATABASE_URL": database_url}).invoke(main, arguments, catch_exceptions=False).output

    return run


def test_list_says_when_there_are_more(outbox):
    listed = outbox("list", "--limit", "2")
    assert listed.count("WELCOME") == 2
    assert "Only the newest 2 are listed; --limit lists more." in listed
    whole = outbox("list", "--limit", "3")
    assert whole.count("WELCOME") == 3
    assert "Only the newest" not in whole


def test_replay_takes_all_that_is_dead(outbox):
    assert "would replay 3 e-mails" in outbox("replay", "--dry-run")
    assert "replay: 3 of 3 e-mails" in outbox("replay")
