"""One attacker with every right a person can have, and what may come of a request of theirs."""

import json
import re
from typing import Any
from urllib.parse import quote, urlencode

from flask import Flask
from flask.testing import FlaskClient
from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from werkzeug.test import TestResponse

from tests.attack.operations import Operation
from tests.client import assert_documented
from tests.databases import ask
from tests.people import People, time_on
from tests.scheduling.answers import PROBLEM
from tests.scheduling.appointments.guests import book, hold

_LEAKS = re.compile(
    r"Traceback|psycopg|/site-packages|/usr/|/home/|\.py\b|, line \d"
    r"|\bSELECT\b|\bINSERT INTO\b"
    r"|\bUPDATE \w+ SET\b|syntax error|relation \"|column \"|constraint|jsonb|bigint"
    r"|werkzeug|flask|gunicorn|marshmallow"
    r"|(?:Python|PostgreSQL|Redis|Valkey|nginx)[/ ]\d",
    re.IGNORECASE,
)
_OF_THE_PERSON = "name, email, password_hash, password_scheme, role, tokens_valid_from"


class Assault:
    """An administrator who owns a booking, a notification and an organization with a member."""

    def __init__(self, app: Flask, people: People, database: Connection) -> None:
        self.app, self.http = app, FlaskClient(app, app.response_class)
        self.attacker, self.victim, self.database = people.admin, people.bob, database
        tables = ask(database, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")
        self._state = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) AS hash FROM {} t").format(
                sql.Identifier(table["tablename"])
            )
            for table in tables
        )
        (self._person,) = ask(database, f"SELECT {_OF_THE_PERSON} FROM users WHERE id = %s", self.attacker.id)
        self.prepare()

    def prepare(self) -> None:
        """Make what the attacker owns, for the first time or anew."""
        ask(self.database, "DELETE FROM holds; DELETE FROM appointments")
        booking, team = self.attacker.booking(day=5), self.attacker.organization("Team", self.victim)
        link = self.attacker.event_type_uid()
        appointment = book(self.attacker, link, time_on(4, 12)).json
        self.manage_token = appointment["manage_token"]
        self.ids = {
            "booking_id": booking["id"],
            "organization_id": team,
            "member_id": self.victim.id,
            "schedule_id": self.attacker.schedule()["id"],
            "event_type_uid": link,
            "booking_uid": appointment["booking"]["uid"],
            "hold_uid": hold(self.attacker, link, time_on(4, 10)).json["hold"],
            "notification_id": self.attacker.get("/notifications").json[0]["id"],
        }
        self.before = self.state()

    def state(self) -> list[Any]:
        """Return a hash of every table."""
        return ask(self.database, self._state)

    def send(
        self,
        operation: Operation,
        *,
        json_text: str | bytes | None = None,
        query: list[tuple[str, str]] | None = None,
        path: dict[str, str] | None = None,
        environ: dict[str, str] | None = None,
        refused: bool = False,
    ) -> TestResponse:
        """Send a request that is fine but for what is given; `refused` says that it must not succeed."""
        ids = self.ids | {name: quote(text, safe="", errors="surrogatepass") for name, text in (path or {}).items()}
        body, given = operation.body(), query or []
        needed = [(name, text) for name, text in operation.needed.items() if name not in dict(given)]
        answer = self.http.open(
            operation.url(ids),
            method=operation.method,
            query_string=urlencode(given + needed, errors="surrogatepass"),
            data=json_text if json_text is not None else json.dumps(body) if body is not None else None,
            content_type="application/json" if body is not None else None,
            environ_overrides={"HTTP_AUTHORIZATION": f"Bearer {self._token(operation)}"} | (environ or {}),
        )
        self.judge(operation, answer, refused=refused)
        return answer

    def _token(self, operation: Operation) -> str | None:
        """Return what lets the attacker in: as somebody who is signed in, or as the guest of a booking."""
        return self.manage_token if "booking_uid" in operation.path_names else self.attacker.token

    def judge(self, operation: Operation, answer: TestResponse, *, refused: bool) -> None:
        """Hold an answer against what may never happen."""
        what = f"{operation} was answered {answer.status_code}: {answer.text[:300]}"
        assert answer.status_code < 500, what
        if answer.mimetype != "text/plain":
            assert_documented(self.app, answer)
        assert not _LEAKS.search(str(answer.headers)), str(answer.headers)
        if answer.status_code < 400:
            assert not refused, what
            self._recover(operation)
            return
        document = answer.get_json(force=True)
        assert document.keys() >= PROBLEM, what
        # The path is the client's own words, and "constraint" is one of them.
        assert not _LEAKS.search(json.dumps({name: document[name] for name in document.keys() - {"path"}})), what
        assert self.state() == self.before, f"{what} but something was written"

    def _recover(self, operation: Operation) -> None:
        """Undo what a success may have done to the attacker, and remember what else it did."""
        if operation.method == "GET":
            return
        ask(
            self.database,
            f"UPDATE users SET ({_OF_THE_PERSON}) = (%s, %s, %s, %s, %s, %s) WHERE id = %s",
            *self._person.values(),
            self.attacker.id,
        )
        if operation.method == "DELETE":
            self.prepare()
        self.before = self.state()
