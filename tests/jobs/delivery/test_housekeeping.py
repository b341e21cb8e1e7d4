"""What has outlived its use goes, however much it is."""

import pytest

from jobs.delivery import housekeeping
from jobs.delivery.housekeeping import Housekeeping


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(housekeeping, "_BATCH", 2)


def left(rows):
    return rows.ask("SELECT count(*) AS count FROM revoked_tokens")["count"]


def test_full_batch_is_followed_by_the_next_at_once(delivery, rows, small_batches):
    keeping = Housekeeping(delivery)
    rows.execute(
        "WITH person AS ("
        "INSERT INTO users (name, email, password_hash) VALUES ('Ada', 'ada@example.com', '') RETURNING id)"
        " INSERT INTO revoked_tokens (jti, user_id, expires_at)"
        " SELECT 'token ' || number, id, now() - interval '1 second' FROM person, generate_series(1, 5) AS number"
    )
    counts = []
    for _ in range(4):
        keeping.prune()
        counts.append(left(rows))
    assert counts == [3, 1, 0, 0]
    rows.execute("INSERT INTO revoked_tokens SELECT 'late', id, now() - interval '1 second' FROM users")
    # Then a minute passes before it looks again.
    keeping.prune()
    assert left(rows) == 1
