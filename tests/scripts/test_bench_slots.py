"""The bench offers people, and asks for their slots one by one."""

import os
import subprocess
import sys
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from scripts.bench import slots
from scripts.bench.seed import Sizes, fill
from scripts.bench.slots import Waits
from tests.databases import empty_database
from tests.stack import running

SIZES = Sizes(users=20, bookings=400, notifications=0, analytics_events=0)
WAITS = [Waits(1, 3, 5, 9, 15, 297.4, 0), Waits(10, 15, 33, 60, 40, 297, 0)]


@pytest.fixture
def seeded():
    """Offer a database with what the bench seeds, but little of it."""
    with empty_database() as address:
        migrate = [sys.executable, "scripts/migrate.py"]
        subprocess.run(migrate, env=os.environ | {"DATABASE_URL": address}, check=True)
        fill(address, SIZES, lambda _: None)
        yield address


def test_slots_of_one_host_and_of_ten_are_asked_for(seeded, redis_url, tmp_path, monkeypatch):
    monkeypatch.setattr(slots, "REQUESTS", 20)
    monkeypatch.setattr(slots, "WARM_UP", 2)
    with running(tmp_path, database_url=seeded, redis_url=redis_url, names=("web",)) as stack:
        section = slots.measure(urlsplit(stack.url).port, seeded, lambda _: None)
    assert [wait["hosts"] for wait in section.figures] == [1, 10]
    assert all(wait["errors"] == 0 and wait["slots"] > 100 for wait in section.figures)


def test_figures_stand_beside_their_goals():
    section = slots.summarise(WAITS)
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.text.splitlines() if "|" in line]
    assert lines[2] == ["GET slots, 31 days, 1 host", "3.0", "5.0", "9.0", "15", "297", "0"]
    assert lines[3][0] == "GET slots, 31 days, 10 hosts"
    assert not section.failed


def test_answer_that_is_no_success_is_a_failure():
    assert slots.summarise([replace(WAITS[0], errors=1)]).failed
