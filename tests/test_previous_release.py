"""Two releases side by side: the one before on the new schema, with each other's rows, without a 5xx or a dead mail."""

import pytest

from tests.databases import ask
from tests.people import time_on
from tests.previous import check_out
from tests.scheduling.appointments.guests import book, guest, hold, text
from tests.stack import ROOT, running
from tests.waiting import eventually


@pytest.fixture(scope="module")
def previous(tmp_path_factory):
    """Offer the files of the release before."""
    return check_out(tmp_path_factory.mktemp("release") / "previous")


@pytest.fixture
def run(tmp_path, database, database_url, redis_url):
    """Run processes of one release; their folders tell the releases apart."""

    def make(root, *names):
        folder = tmp_path / ("new" if root == ROOT else "previous")
        return running(folder, database_url=database_url, redis_url=redis_url, names=names, root=root)

    return make


@pytest.fixture
def statuses(database):
    """Return a function that tells which statuses mails have."""

    def ask_for():
        return {row["status"] for row in ask(database, "SELECT DISTINCT status FROM emails")}

    return ask_for


@pytest.fixture
def waiting(database):
    """Return a function that lists what waits although a worker knows it and all before it about the same booking."""

    def ask_for(known):
        return ask(database, WAITING, known, known)

    return ask_for


# Mails about a booking that changes again and again are put off for up to a minute.
DELIVERED_WITHIN = 90

WAITING = """
SELECT id, kind FROM emails
WHERE status = 'pending' AND kind = ANY(%s) AND NOT EXISTS (
    SELECT FROM emails AS earlier
    WHERE earlier.booking_id = emails.booking_id AND earlier.id < emails.id AND earlier.status = 'pending'
      AND earlier.kind <> ALL(%s))
"""


def kinds_of(root):
    """Return the kinds of mail that a release knows."""
    return sorted(folder.parent.name.upper() for folder in (root / "jobs").rglob("subject.txt"))


def refused(stack):
    """Return the lines about jobs of another release that a worker did not run."""
    return [line for line in stack.worker.lines if line["event"] == "job_refused"]


def succeed(*answers):
    for answer in answers:
        assert answer.status_code in (200, 201, 204), (answer.status_code, answer.get_data(as_text=True))


def write_everything(client, register):
    """Do whatever makes rows, once each, and return who did it."""
    alice, bob = register("Alice"), register("Bob")
    booking = alice.booking("Standup", day=3, hour=9, exclusive=True)
    path = f"/bookings/{booking['id']}"
    succeed(
        alice.patch(path, {"title": "Retrospective"}),
        alice.delete(path),
        alice.post(f"{path}/restore"),
        alice.post("/analytics/event", {"eventType": "click"}),
        alice.patch("/users/me", {"email": f"new.{alice.email}"}),
    )
    alice.organization("Acme", bob)
    link = alice.event_type_uid()
    held = hold(client, link, time_on(4, 10))
    succeed(held)
    booked = book(client, link, time_on(4, 10), hold=held.json["hold"])
    succeed(booked)
    ask_as_guest = guest(client, booked)
    (of_guest,) = [entry for entry in alice.get("/bookings").json if entry["start_time"] == text(time_on(4, 10))]
    succeed(
        ask_as_guest("PATCH", {"start": text(time_on(4, 12))}),
        alice.patch(f"/bookings/{of_guest['id']}", {"title": "Another title"}),
        ask_as_guest("DELETE", {"reason": "Ill"}),
    )
    again = book(client, link, time_on(5, 10))
    succeed(again)
    return alice, bob, link, again


def read_everything(client, alice, bob, link, booked):
    """Ask for all of it, as those who wrote it and as a guest, and change what was written by another release."""
    entries = alice.get("/bookings").json
    (standup,) = [entry for entry in entries if entry["title"] == "Retrospective"]
    for person in (alice, bob):
        succeed(*(person.get(f"/{path}") for path in ("notifications", "notifications/unread", "bookings")))
        succeed(*(person.get(f"/{path}") for path in ("organizations", "schedules", "event-types", "users/me")))
    for entry in entries:
        succeed(alice.get(f"/bookings/{entry['id']}"), alice.get(f"/bookings/{entry['id']}/deliveries"))
    succeed(*(alice.patch(f"/notifications/{told['id']}/read") for told in alice.get("/notifications").json))
    days = {"from": text(time_on(4)), "to": text(time_on(6)), "time_zone": "UTC"}
    succeed(client.get(f"/event-types/{link}/slots", params=days), client.get(f"/event-types/{link}"))
    ask_as_guest = guest(client, booked)
    succeed(
        ask_as_guest("GET"),
        ask_as_guest("PATCH", {"start": text(time_on(5, 14))}),
        ask_as_guest("DELETE"),
        alice.patch(f"/bookings/{standup['id']}", {"title": "Read by another release"}),
        client.get("//health/ready"),
    )


def at(stack, person):
    """Return a person who talks to another release, with the same token."""
    return stack.client.with_token(person.token)


def test_previous_web_serves_rows_of_the_new_one_and_the_new_one_its_rows(run, previous):
    with run(previous, "web") as old, run(ROOT, "web") as new:
        for writer, reader in ((new, old), (old, new)):
            alice, bob, link, booked = write_everything(writer.client, writer.register)
            read_everything(reader.client, at(reader, alice), at(reader, bob), link, booked)


def test_previous_worker_delivers_what_the_new_web_promises_and_leaves_what_it_does_not_know(
    run, previous, statuses, waiting
):
    known = kinds_of(previous)
    with run(previous, "worker") as old, run(ROOT, "web") as new:
        write_everything(new.client, new.register)
        eventually(lambda: waiting(known) == [], within=DELIVERED_WITHIN, saying=old.words)
        assert statuses() <= {"sent", "pending"}, old.words()
        assert refused(old) == []
        with run(ROOT, "worker") as newer:
            eventually(lambda: statuses() == {"sent"}, within=DELIVERED_WITHIN, saying=newer.words)


def test_new_worker_delivers_what_the_previous_web_promises(run, previous, statuses):
    with run(previous, "web") as old, run(ROOT, "worker") as new:
        write_everything(old.client, old.register)
        eventually(lambda: statuses() == {"sent"}, within=DELIVERED_WITHIN, saying=new.words)
        assert refused(new) == []


def test_release_before_is_what_runs(run, previous):
    # Both have the same environment: the folder decides which code is imported.
    with run(previous, "web", "worker") as old:
        for process in old.processes.values():
            folders = {member.cwd() for member in process.family}
            assert folders == {str(previous)}
        assert old.client.get("//health/ready").json["checks"]["schema"] == "ok"


def test_history_that_a_shallow_clone_lacks_is_named_with_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr("tests.previous.REVISION", "0" * 40)
    with pytest.raises(pytest.fail.Exception, match="git fetch --unshallow"):
        check_out(tmp_path / "previous")
