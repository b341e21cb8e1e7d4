"""A team and its surroundings, for callers of every kind."""

import re
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from psycopg2.extensions import connection as Connection
from werkzeug.test import TestResponse

from tests.access import Call, made_by_the_owner
from tests.client import Client
from tests.people import Person, time_on
from tests.scheduling.appointments.guests import book, hold
from tests.tables import tables_of

DIARY, TEAM = "What only Alice may read", "What only the team may read"
OF_ALICE = {"users": "id", "bookings": "user_id", "notifications": "user_id", "schedules": "user_id"}


class World:
    """A team and its surroundings, which can be put back as they were."""

    def __init__(self, app: Flask, connection: Connection) -> None:
        self.app = app
        self.connection = connection
        names = ("Stranger", "Member", "Organization Admin", "Owner", "Platform Admin", "Colleague", "Outsider")
        self.people = {name.lower(): self.person(name) for name in names}
        owner, member = self.people["owner"], self.people["member"]
        colleague = self.people["colleague"]
        team = owner.organization(TEAM, member, colleague)
        admin = {"email": self.people["organization admin"].email, "role": "admin"}
        assert owner.post(f"/organizations/{team}/members", admin).status_code == 201
        self.ask("UPDATE users SET role = 'admin' WHERE id = %s", self.people["platform admin"].id)
        self.ask("UPDATE users SET email = 'outsider@example.com' WHERE id = %s", self.people["outsider"].id)
        booking, cancelled = owner.booking(DIARY, day=3), owner.booking(DIARY, day=4)
        assert owner.delete(f"/bookings/{cancelled['id']}").status_code == 200
        of_team = {"organization_id": team, "hosts": [member.id]}
        assert owner.post("/analytics/event", {"eventType": "signed_in"}).status_code == 201
        bookable, anyone = colleague.event_type_uid(), Client(app.test_client())
        appointment = book(anyone, bookable, time_on(4, 10)).json
        self.ids = {
            "booking": booking["id"],
            "cancelled booking": cancelled["id"],
            "notification": owner.get("/notifications").json[0]["id"],
            "organization": team,
            "schedule": owner.schedule(name=DIARY)["id"],
            "event type": owner.event_type()["uid"],
            "event type of the team": owner.event_type(**of_team)["uid"],
            "inactive event type": owner.event_type(**of_team, is_active=False)["uid"],
            "bookable event type": bookable,
            "appointment": appointment["booking"]["uid"],
            "manage token": appointment["manage_token"],
            "hold": hold(anyone, bookable, time_on(5, 10)).json["hold"],
            "people of the team": [owner.id, member.id, colleague.id],
            "colleague": colleague.id,
            "asset": "docs.js",
            **{what: self.made(what, *how) for what, how in made_by_the_owner().items()},
        }
        self.to_put_back = tables_of(connection)
        for table in self.to_put_back:
            self.ask(f"CREATE TEMPORARY TABLE saved_{table} AS TABLE {table}")
        self.tables = [
            row["tablename"] for row in self.ask("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        ]

    def person(self, name: str) -> Person:
        """Register somebody."""
        return Person(Client(self.app.test_client()), name.replace(" ", ""))

    def made(self, what: str, path: str, body: Any, member: str) -> int:
        """Let the owner make something, and return its id."""
        answer = self.people["owner"].post(path, body)
        assert answer.status_code == 201, f"MADE[{what!r}] of the test of its feature does not work: {answer.text}"
        return int(answer.json[member]["id"])

    def ask(self, statement: str, *parameters: object) -> list[dict[str, Any]]:
        """Return the rows of a statement, if it has any."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def rows(self, tables: dict[str, str] | None = None) -> dict[str, str]:
        """Return a hash of each table, or of alice's rows in some."""
        return {
            table: self.ask(
                f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) AS hash FROM {table} AS t"
                + (f" WHERE {tables[table]} = {self.people['owner'].id}" if tables else "")
            )[0]["hash"]
            for table in tables or self.tables
        }

    def put_back(self) -> None:
        """Put every row back as it was."""
        deletions = [f"DELETE FROM {table}" for table in self.to_put_back]
        insertions = [
            f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM saved_{table}"
            for table in reversed(self.to_put_back)
        ]
        # Rows are put back as they were, without what triggers would add to them.
        alone = "SET session_replication_role = replica", "RESET session_replication_role"
        self.ask("; ".join([*deletions, alone[0], *insertions, alone[1]]))

    def leave(self) -> None:
        """Leave an empty database."""
        self.ask("; ".join(f"DELETE FROM {table}; DROP TABLE saved_{table}" for table in self.to_put_back))

    def send(self, kind: str, method: str, path: str, call: Call) -> TestResponse:
        """Send a valid request as a kind of caller."""
        caller = self.people.get(kind)
        ids = self.ids | {"caller": caller.id if caller else 1}
        missing = set(re.findall(r"<(?:\w+:)?(\w+)>", path)) - call.ids.keys()
        unknown = set(call.ids.values()) - ids.keys()
        assert not missing | unknown, f"Name {missing or unknown} of {path} in MADE and ids= of the test of its feature"
        url = re.sub(r"<(?:\w+:)?(\w+)>", lambda match: str(ids[call.ids[match[1]]]), path)
        body = call.body
        if call.body_ids:
            body = body | {name: ids[what] for name, what in call.body_ids.items()}
        token = caller.token if caller else call.bears and ids[call.bears]
        # Without a body, or with one that is no JSON, there is nothing to hold against the document.
        plain = method == "HEAD" or path == "/metrics"
        http = FlaskClient(self.app, self.app.response_class) if plain else self.app.test_client()
        return Client(http, token).send(method, f"/{url}", body, query_string=call.query)
