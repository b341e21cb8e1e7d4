"""What docs/operations.md says about backups, alerts and erasing people is done here as it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from scheduling.app import create_app
from scheduling.settings import read_settings
from scripts.stack.servers import POSTGRES
from tests.databases import ask, connected, empty_database
from tests.people import Person, time_on
from tests.scheduling.answers import contents
from tests.scheduling.appointments.guests import GUEST, book

ROOT = Path(__file__).resolve().parent.parent
OPERATIONS = (ROOT / "docs/operations.md").read_text()


def commands(heading, language):
    """Return the commands below a heading, block by block."""
    section = OPERATIONS.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


@pytest.fixture
def restored():
    with empty_database() as url:
        yield url


@pytest.fixture
def shell(tmp_path, database_url):
    """Offer a shell with PostgreSQL's own tools, in a folder of its own."""

    def run(script, **environment):
        # The command of ours is run where it stands.
        script = script.replace("python scripts/", f"{sys.executable} {ROOT}/scripts/")
        tools = f"{POSTGRES}{os.pathsep}{os.environ['PATH']}"
        ran = subprocess.run(
            ["/bin/sh", "-ec", script],
            cwd=tmp_path,
            env=os.environ | {"PATH": tools, "DATABASE_URL": database_url} | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    return run


def test_backup_is_restored_as_the_commands_say(client, people, database, shell, restored, monkeypatch):
    booking = people.alice.booking("Standup", day=3, hour=9, exclusive=True)
    book(client, people.bob.event_type_uid(), time_on(4, 10))
    before = contents(database)
    dump, restore = commands("Backup and restore", "sh")
    shell(dump)
    shell(restore, RESTORED_URL=restored)
    with connected(restored) as copy:
        after = contents(copy)
        assert {table for table in before if before[table] != after[table]} == {"emails"}
        assert {mail["status"] for mail in ask(copy, "SELECT status FROM emails")} == {"dead"}
    monkeypatch.setenv("DATABASE_URL", restored)
    revived = create_app(read_settings()).test_client()
    signed_in = {"Authorization": f"Bearer {people.alice.token}"}
    assert revived.get(f"/api/v1/bookings/{booking['id']}", headers=signed_in).json["title"] == "Standup"
    again = {"title": "Again", "start": booking["start_time"], "end": booking["end_time"], "exclusive": True}
    assert revived.post("/api/v1/bookings", json=again, headers=signed_in).status_code == 409


def test_person_is_erased_as_the_commands_say(client, people, database, shell):
    marker = "wilhelmina"
    person = Person(client, "Wilhelmina")
    person.booking("A secret of wilhelmina", day=5, hour=9)
    person.post("/analytics/event", {"eventType": "seen", "metadata": {"who": marker}})
    guest = GUEST | {"name": "Wilhelmina", "email": person.email, "notes": "I am wilhelmina"}
    hosted = book(client, people.alice.event_type_uid(), time_on(4, 10), **guest)
    assert hosted.status_code == 201
    assert any(marker in row.lower() for table in contents(database).values() for row in table)
    (script,) = commands("Erase a person", "sql")
    shell(f"psql --quiet --set=ON_ERROR_STOP=1 --set=address={person.email} $DATABASE_URL <<'SQL'\n{script}\nSQL")
    left = {name: row for name, table in contents(database).items() for row in table if marker in row.lower()}
    assert left == {}
    (kept,) = ask(database, "SELECT status FROM appointments")
    assert kept["status"] == "confirmed"


def test_every_number_of_an_alert_is_told(client):
    client.get("//health")
    told = {
        sample.name
        for family in text_string_to_metric_families(client.get("//metrics").get_data(as_text=True))
        for sample in family.samples
    }
    rules = (ROOT / "docs/prometheus-alerts.yml").read_text()
    named = set(re.findall(r"\bscheduling_\w+", rules))
    assert len(named) > 5
    # Attempts have a number as soon as there was one.
    assert named - told <= {"scheduling_email_attempts_total"}
