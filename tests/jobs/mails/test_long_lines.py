"""However many mails wait, a statement reads those at the front of the line only."""

import re

import pytest

from jobs.mails.rendering import KINDS
from sql.queries import emails

BOOKINGS = 60_000
BATCH = 32
# Pages of 8 KiB. A batch needs some twenty for each mail that may be next in its class, here of two; the table has
# thousands.
FEW_PAGES = 2000

LINE = """
    WITH person AS (
        INSERT INTO users (name, email, password_hash) VALUES ('Alice', 'alice@example.com', '') RETURNING id
    ), diary AS (
        INSERT INTO bookings (user_id, title, start_time, end_time)
        SELECT id, 'Standup', now(), now() + interval '1 hour' FROM person, generate_series(1, %(bookings)s)
        RETURNING id
    )
    INSERT INTO emails (kind, recipient, data, booking_id, origin, class, next_attempt_at)
    SELECT kind, 'alice@example.com', '{}', id, CASE WHEN id %% 2 = 0 THEN id ELSE 0 END,
           CASE WHEN id %% 2 = 0 THEN 2 ELSE 4 END,
           now() - interval '1 hour' + id * interval '1 millisecond'
    FROM diary, (VALUES (0, 'BOOKING_CONFIRMATION'), (1, 'BOOKING_CANCELLED')) AS mail (position, kind)
    ORDER BY id, position
"""


@pytest.fixture
def long_line(rows):
    """Let very many mails wait, two a booking."""
    # Classed as the trigger would: it looks at the line for each mail, and one statement has no statistics of it.
    rows.execute("SET session_replication_role = replica")
    rows.execute(LINE, {"bookings": BOOKINGS})
    rows.execute("RESET session_replication_role")
    rows.execute("INSERT INTO email_rate_slots SELECT generate_series(1, 16666)")
    for table in ("emails", "email_rate_slots"):
        rows.execute(f"VACUUM ANALYZE {table}")
    return rows


def explain(rows, statement, *, generic, **parameters):
    """Run a statement in a transaction that is undone, and return its plan with what it read."""
    text = statement.sql.strip().rstrip(";")
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", text)))
    with rows.database.cursor() as cursor:
        cursor.execute("BEGIN")
        try:
            if generic:
                numbered = re.sub(r"%\((\w+)\)s", lambda match: f"${names.index(match[1]) + 1}", text)
                cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
                cursor.execute(f"PREPARE line AS {numbered}")
                text = f"EXECUTE line({', '.join(f'%({name})s' for name in names)})"
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {text}", parameters)
            return cursor.fetchone()["QUERY PLAN"][0]["Plan"]
        finally:
            cursor.execute("ROLLBACK")
            cursor.execute("DEALLOCATE ALL")


def nodes(plan):
    """Yield a plan and its parts."""
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


def full_scans(plan):
    return [node for node in nodes(plan) if node["Node Type"] == "Seq Scan" and node["Relation Name"] == "emails"]


@pytest.mark.parametrize("generic", [False, True], ids=["planned for these values", "planned for any values"])
def test_statements_read_the_front_of_a_long_line_only(long_line, generic):
    kinds = {"kinds": sorted(KINDS)}
    claim = {"limit": BATCH, "lease_seconds": 15, "rate_slots": 16666, "reserved_slots": 50, "rate_window": 1}
    ids = [row["id"] for row in long_line.ask_all(f"SELECT id FROM emails ORDER BY id LIMIT {BATCH}")]
    texts = ["text"] * BATCH
    for statement, parameters in (
        (emails.claim_emails, kinds | claim),
        (emails.select_overdue_email, kinds | {"overdue_seconds": 2, "rate_slots": 16666, "reserved_slots": 50}),
        (emails.select_seconds_to_slot, kinds | {"rate_slots": 16666, "reserved_slots": 50}),
        (emails.postpone_followers, kinds | {"limit": BATCH}),
        (
            emails.keep_renderings,
            {"email_ids": ids, "fences": [0] * BATCH, "sender": "noreply@example.com"}
            | dict.fromkeys(("reply_tos", "subjects", "text_bodies", "html_bodies", "calendars"), texts)
            | {"calendar_methods": ["REQUEST"] * BATCH},
        ),
        (
            emails.settle_sent,
            {"email_ids": ids, "fences": [0] * BATCH, "provider_message_ids": texts, "rate_window": 1},
        ),
    ):
        plan = explain(long_line, statement, generic=generic, **parameters)
        assert full_scans(plan) == [], statement.__name__
        assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < FEW_PAGES, statement.__name__
