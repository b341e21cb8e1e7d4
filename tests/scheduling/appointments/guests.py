"""A guest who books through an event type."""

GUEST = {"name": "Gail", "email": "gail@example.com", "time_zone": "America/New_York"}


def text(moment):
    return moment.isoformat().replace("+00:00", "Z")


def book(client, event_type_uid, start, **more):
    return client.post(f"/event-types/{event_type_uid}/bookings", GUEST | {"start": text(start)} | more)


def slots(client, event_type_uid, start, end, time_zone="UTC"):
    query = {"from": text(start), "to": text(end), "time_zone": time_zone}
    answer = client.get(f"/event-types/{event_type_uid}/slots", query_string=query)
    assert answer.status_code == 200, answer.text
    return answer.json


def starts(answer):
    return [slot["start"] for day in answer["days"] for slot in day["slots"]]


def codes(answer):
    return [rule["code"] for rule in answer.json["rules"]]


def guest(client, answer):
    """Return a function that asks as the guest who got an answer."""
    uid, token = answer.json["booking"]["uid"], answer.json["manage_token"]

    def ask_as_guest(method, body=None, *, token=token, **headers):
        return client.send(
            method, f"/guest/bookings/{uid}", body, headers={"Authorization": f"Bearer {token}"} | headers
        )

    return ask_as_guest


def hold(client, event_type_uid, start):
    return client.post(f"/event-types/{event_type_uid}/holds", {"start": text(start)})
