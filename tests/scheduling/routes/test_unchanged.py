"""A change that changes nothing: the same version, and nobody is told."""

import pytest

from tests.client import PREFIX
from tests.people import PASSWORD, time_on
from tests.scheduling.answers import assert_refused, emails_to, nothing_written, rows
from tests.scheduling.appointments.guests import book, guest, text

# What makes a thing of each kind: it returns the function that changes it, the values that it has and other ones.


def profile(people, client):
    own = {"name": people.alice.name, "email": people.alice.email.upper()}
    return to(people.alice, "/users/me"), own, {"name": "Alicia", "email": "alicia@example.com"}


def booking(people, client):
    made = people.alice.booking(exclusive=True)
    own = {"title": made["title"], "start": made["start_time"], "end": made["end_time"]}
    other = {"title": "New", "start": text(time_on(8, 10)), "end": text(time_on(8, 12))}
    return to(people.alice, f"/bookings/{made['id']}"), own, other


def booking_by_a_guest(people, client):
    team = people.alice.organization("Acme", people.bob)
    link = people.alice.event_type_uid(organization_id=team, hosts=[people.alice.id, people.bob.id], assignment="all")
    assert book(client, link, time_on(3, 10)).status_code == 201
    (made,) = people.alice.get("/bookings").json
    own = {"title": made["title"], "start": made["start_time"], "end": made["end_time"]}
    other = {"title": "New", "start": text(time_on(8, 10)), "end": text(time_on(8, 12))}
    return to(people.alice, f"/bookings/{made['id']}"), own, other


def booking_of_a_guest(people, client):
    made = book(client, people.alice.event_type_uid(), time_on(3, 10))
    ask = guest(client, made)
    return lambda body: ask("PATCH", body), {"start": text(time_on(3, 10))}, {"start": text(time_on(3, 12))}


def organization(people, client):
    return to(people.alice, f"/organizations/{people.alice.organization('Acme')}"), {"name": "Acme"}, {"name": "New"}


def schedule(people, client):
    made = people.alice.schedule(is_default=True)
    own = {name: made[name] for name in ("name", "time_zone", "rules", "overrides", "is_default")}
    return to(people.alice, f"/schedules/{made['id']}"), own, {"name": "New", "overrides": [], "rules": []}


def event_type(people, client):
    team = people.alice.organization("Acme", people.bob)
    members = [people.bob.id, people.alice.id]
    made = people.alice.event_type(organization_id=team, hosts=members, assignment="any")
    fixed = {"id", "uid", "owner_id", "organization_id", "version", "created_at", "updated_at"}
    own = {name: value for name, value in made.items() if name not in fixed}
    return to(people.alice, f"/event-types/{made['uid']}"), own | {"hosts": members}, {"hosts": [people.bob.id]}


def notification(people, client):
    people.alice.booking()
    (told,) = people.alice.get("/notifications").json
    return to(people.alice, f"/notifications/{told['id']}/read"), None, None


def all_notifications(people, client):
    people.alice.booking()
    return to(people.alice, "/notifications/read-all"), None, None


def password(people, client):
    return to(people.alice, "/users/me/password"), None, {"currentPassword": PASSWORD, "newPassword": "another horse"}


def to(person, path):
    return lambda body: person.patch(path, body)


# Every route that changes something; guests' bookings are changed by two.
ROUTES = {
    "/users/me": [profile],
    "/users/me/password": [password],
    "/bookings/<id:booking_id>": [booking, booking_by_a_guest],
    "/guest/bookings/<uid:booking_uid>": [booking_of_a_guest],
    "/organizations/<id:organization_id>": [organization],
    "/schedules/<id:schedule_id>": [schedule],
    "/event-types/<uid:event_type_uid>": [event_type],
    "/notifications/<id:notification_id>/read": [notification],
    "/notifications/read-all": [all_notifications],
}
MAKERS = [make for makers in ROUTES.values() for make in makers]
# The second time there is nothing left to mark, and the password and the token are no longer the ones.
OTHERWISE = {all_notifications: (200, {"updated": 0}), password: (401, {"code": "token_invalid"})}


def test_every_route_that_changes_something_is_repeated_here(app):
    known = {rule.rule.removeprefix(PREFIX) for rule in app.url_map.iter_rules() if "PATCH" in (rule.methods or ())}
    assert known == ROUTES.keys()


@pytest.mark.parametrize("make", MAKERS)
def test_change_that_is_repeated_changes_nothing_and_tells_nobody(people, client, database, make):
    change, _, other = make(people, client)
    first = change(other)
    assert first.status_code == 200, first.text
    with nothing_written(database):
        again = change(other)
    status, members = OTHERWISE.get(make, (200, first.json))
    assert (again.status_code, again.json | members) == (status, again.json), again.text
    assert status != 200 or again.headers.get("ETag") == first.headers.get("ETag")


@pytest.mark.parametrize("make", [make for make in MAKERS if make not in {notification, all_notifications, password}])
def test_change_to_what_is_so_already_changes_nothing_and_tells_nobody(people, client, database, make):
    change, own, other = make(people, client)
    with nothing_written(database):
        answers = [change(own), *(change({name: value}) for name, value in own.items())]
        assert {answer.status_code for answer in answers} == {200}
    (seen,) = {answer.headers.get("ETag") for answer in answers}
    changed = change(own | other)
    assert changed.status_code == 200, changed.text
    assert seen is None or changed.headers["ETag"] != seen


def test_repeated_change_with_the_old_version_is_refused(people, client, database):
    made = people.alice.booking()
    tag = {"If-Match": people.alice.get(f"/bookings/{made['id']}").headers["ETag"]}
    assert people.alice.patch(f"/bookings/{made['id']}", {"title": "New"}, headers=tag).status_code == 200
    with nothing_written(database):
        answer = people.alice.patch(f"/bookings/{made['id']}", {"title": "New"}, headers=tag)
        assert_refused(answer, 412, "precondition_failed")


def test_member_who_is_added_twice_is_told_once(people, database):
    path = f"/organizations/{people.alice.organization('Acme', people.bob)}/members"
    with nothing_written(database):
        assert_refused(people.alice.post(path, {"email": people.bob.email}), 400, "already_member")


# What hosts and guests are told of a change


def told(database, since):
    """Return the kinds and sequences of mails that came after one, and the latest notification."""
    mails = rows(database, "SELECT DISTINCT kind, data ->> 'sequence' AS sequence FROM emails WHERE id > %s", since)
    notes = rows(database, "SELECT type, title, message FROM notifications ORDER BY id DESC LIMIT 1")
    return [tuple(mail.values()) for mail in mails], tuple(notes[0].values())


@pytest.mark.parametrize(
    ("names", "kind", "type_", "word"),
    [
        ({"title"}, "APPOINTMENT_RENAMED", "BOOKING_RENAMED", "renamed"),
        ({"title", "start", "end"}, "APPOINTMENT_MOVED", "BOOKING_MOVED", "moved"),
        ({"start"}, "APPOINTMENT_MOVED", "BOOKING_MOVED", "moved"),
        ({"end"}, "APPOINTMENT_MOVED", "BOOKING_MOVED", "moved"),
    ],
)
def test_new_title_is_told_as_one_and_a_new_time_as_a_move(people, client, database, names, kind, type_, word):
    change, own, _ = booking_by_a_guest(people, client)
    other = {"title": "New", "start": text(time_on(3, 9)), "end": text(time_on(3, 11))}
    (last,) = rows(database, "SELECT max(id) AS id FROM emails")
    # What is given as it is does not count.
    changed = change(own | {name: other[name] for name in names})
    assert (changed.status_code, changed.json["booking"]["version"]) == (200, 2)
    mails, (noted, title, message) = told(database, last["id"])
    assert mails == [(kind, "1")]
    name = changed.json["booking"]["title"]
    assert (noted, title) == (type_, f'Booking "{name}" {word}')
    assert ("is now called" in message) == (word == "renamed")


def test_address_that_is_spelled_otherwise_is_no_new_one(people, database):
    answer = people.alice.patch("/users/me", {"email": people.alice.email.upper(), "name": "Alicia"})
    assert answer.json["user"]["name"] == "Alicia"
    assert [kind for kind, _ in emails_to(database, people.alice.email)] == ["WELCOME"]
