"""The bench offers people, asks for their slots one by one, and says what PostgreSQL looked at for them."""

import os
import subprocess
import sys
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from scripts.bench import slots
from scripts.bench.seed import Sizes, fill
from scripts.bench.slots import Plan, Waits
from tests.databases import empty_database
from tests.stack import running

SIZES = Sizes(users=20, bookings=400, notifications=0, analytics_events=0)
WAITS = [Waits(1, 3, 5, 9, 15, 297.4, 0), Waits(10, 15, 33, 60, 40, 297, 0)]
PLANS = [Plan("select_taken", 10, 2145, 2150, 2207, 1.366)]


@pytest.fixture
def seeded():
    """Offer a database with what the bench seeds, but little of it."""
    with empty_database() as address:
        migrate = [sys.executable, "scripts/migrate.py"]
        subprocess.run(migrate, env=os.environ | {"DATABASE_URL": address}, check=True)
        fill(address, SIZES, lambda _: None)
        yield address


def test_slots_of_one_host_and_of_ten_are_asked_for_and_explained(seeded, redis_url, tmp_path, monkeypatch):
    monkeypatch.setattr(slots, "REQUESTS", 20)
    monkeypatch.setattr(slots, "WARM_UP", 2)
    with running(tmp_path, database_url=seeded, redis_url=redis_url, names=("web",)) as stack:
        section = slots.measure(urlsplit(stack.url).port, seeded, lambda _: None)
    assert [wait["hosts"] for wait in section.figures["waits"]] == [1, 10]
    assert all(wait["errors"] == 0 and wait["slots"] > 100 for wait in section.figures["waits"])
    taken = [plan for plan in section.figures["plans"] if plan["statement"] == "select_taken"]
    # Each host is booked a hundred times through each of two links in a month, of which the plan sees three days more.
    assert [200 * plan["hosts"] <= plan["rows"] <= 260 * plan["hosts"] for plan in taken] == [True, True]
    assert all(plan["looked_at"] >= plan["rows"] and plan["pages"] > 0 for plan in section.figures["plans"])


def test_figures_stand_beside_their_goals():
    section = slots.summarise(WAITS, PLANS)
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.text.splitlines() if "|" in line]
    assert lines[2] == ["GET slots, 31 days, 1 host", "3.0", "5.0", "9.0", "15", "297", "0"]
    assert lines[3][0] == "GET slots, 31 days, 10 hosts"
    assert lines[6] == ["select_taken", "10", "2145", "2150", "2207", "1.37"]
    assert not section.failed


def test_answer_that_is_no_success_is_a_failure():
    assert slots.summarise([replace(WAITS[0], errors=1)], PLANS).failed


def test_rows_are_counted_where_tables_are_read():
    scan = {"Relation Name": "bookings", "Actual Loops": 10, "Actual Rows": 7.0, "Rows Removed by Filter": 1}
    assert slots.scanned({"Node Type": "Append", "Plans": [scan, {"Plans": [scan]}]}) == 160
