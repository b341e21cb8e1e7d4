"""The quick start of README.md works as it stands there, and again on the data that it has left."""

import os
import re
import subprocess
from pathlib import Path

import orjson
import pytest

from tests.databases import ask
from tests.stack import running

README = Path(__file__).resolve().parent.parent / "README.md"
ADDRESS = "http://localhost:3000"


@pytest.fixture
def stack(tmp_path, database, database_url, redis_url):
    folder = tmp_path / "mailbox"
    with running(
        tmp_path, database_url=database_url, redis_url=redis_url, EMAIL_MOCK_DELAY=0, EMAIL_MOCK_FOLDER=folder
    ) as stack:
        yield stack


def commands():
    """Return what a reader pastes once everything runs: each shell block of the quick start but the first."""
    section = README.read_text().split("## Quick start")[1].split("\n## ")[0]
    clone, *pasted = re.findall(r"^```sh\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    assert "make run" in clone
    return "".join(pasted)


def paste(stack, folder, pasted):
    """Paste commands into a shell, at the address of the stack, and return the answers that they show."""
    assert ADDRESS in pasted
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    shell = subprocess.run(
        ["bash", "-euo", "pipefail"],
        input=pasted.replace(ADDRESS, stack.url),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (shell.returncode, shell.stderr) == (0, ""), shell.stdout + shell.stderr + stack.words()[-3000:]
    return [orjson.loads(line) for line in shell.stdout.splitlines() if line]


def test_quick_start_can_be_pasted_twice_and_leaves_no_file(stack, database, tmp_path):
    folder = tmp_path / "terminal"
    folder.mkdir()
    for time in (1, 2):
        diary, cancelled, deliveries, booking, explanation, freed = paste(stack, folder, commands())
        assert "Team standup" in [entry["title"] for entry in diary]
        assert cancelled["message"] == "Booking cancelled successfully"
        assert {delivery["kind"] for delivery in deliveries} == {"BOOKING_CONFIRMATION", "BOOKING_CANCELLED"}
        assert booking["guest"]["name"] == "Gail"
        assert explanation["bookable"] is False
        assert freed["booking"]["status"] == "cancelled"
        assert list(folder.iterdir()) == []
        assert ask(database, "SELECT count(*) AS people FROM users") == [{"people": 1}]
        assert ask(database, "SELECT count(*) AS booked FROM appointments") == [{"booked": time}]


def test_guest_who_keeps_the_first_booking_is_offered_another_time(stack, database, tmp_path):
    kept = commands().replace('curl -sw "\\n" -X DELETE $API/guest', 'curl -sw "\\n" $API/guest')
    assert kept != commands()
    starts = []
    for _ in range(2):
        *_, booking = paste(stack, tmp_path, kept)
        starts.append(booking["start_time"])
    assert starts[0] < starts[1]
