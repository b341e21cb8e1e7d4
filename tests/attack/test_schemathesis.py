"""The OpenAPI document against the application: schemathesis with all its checks, as three kinds of user."""

import json

import pytest
import requests
import schemathesis
from schemathesis.config import (
    ChecksConfig,
    GenerationConfig,
    PositiveDataAcceptanceConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)
from schemathesis.engine import Status, events, from_schema
from schemathesis.engine.run import PhaseName
from schemathesis.transport.wsgi import WSGITransport

from tests.attack.ledger import WANTED, share
from tests.databases import ask

SEED = 20_260_101
NEEDED = (PhaseName.COVERAGE, PhaseName.FUZZING, PhaseName.STATEFUL_TESTING)
REVOKING = ("/auth/revoke", "/users/me/password")

CHECKS = ChecksConfig(
    # What a type cannot say is refused too: a time that has passed, a blank title, a cursor that we did not make
    # (400), a version that is not the latest (412), an Idempotency-Key that was used before (422).
    positive_data_acceptance=PositiveDataAcceptanceConfig(
        expected_statuses=["2xx", "3xx", "400", "401", "403", "404", "409", "412", "422", "429"]
    ),
)


def is_of_the_contract(check, operation):
    """Tell whether a check contradicts the contract at an operation."""
    path = operation.partition(" ")[2]
    # What cannot be an id is not there (404) like any other id: so /notifications/count allows what an id allows.
    if path.startswith("/api/v1/notifications/"):
        return check in ("allow_header_conformance", "unsupported_method")
    # Who does not know a hold learns nothing of it, not even whether there can be one.
    return (check, operation) == ("negative_data_rejection", "DELETE /api/v1/holds/{hold_uid}")


def configuration(token):
    generation = GenerationConfig(
        max_examples=share(0.002, short=3), deterministic=not WANTED, database="none", no_shrink=True
    )
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    project = ProjectConfig(headers=headers, generation=generation, checks=CHECKS, continue_on_failure=True)
    return SchemathesisConfig(seed=SEED, projects=ProjectsConfig(default=project))


@pytest.fixture
def forgiving(app, database):
    """Offer the application; who revokes their token by accident may go on using it."""

    def forgive(environ, start_response):
        answer = app.wsgi_app(environ, start_response)
        if environ["PATH_INFO"].endswith(REVOKING):
            ask(database, "UPDATE users SET tokens_valid_from = created_at - interval '1 day'")
        return answer

    return forgive


@pytest.fixture(autouse=True)
def transport(monkeypatch):
    """Keep schemathesis 4.32 from telling Werkzeug what only requests knows, when it tries without a token."""
    send = WSGITransport.send

    def send_without_sockets(self, case, *, session=None, **options):
        if not isinstance(session, requests.Session):
            options = {name: options[name] for name in options.keys() - {"max_redirects", "verify", "cert", "proxies"}}
        return send(self, case, session=session, **options)

    monkeypatch.setattr(WSGITransport, "send", send_without_sockets)


def findings(schema):
    """Run all phases and yield what is held against the application."""
    for event in from_schema(schema).execute():
        if isinstance(event, events.FatalError):
            raise event.exception
        if isinstance(event, events.NonFatalError):
            yield event.label, str(event.info)
        if isinstance(event, events.ScenarioFinished):
            yield from failures(event.recorder)
        if isinstance(event, events.PhaseFinished) and event.phase.name in NEEDED and event.status == Status.SKIP:
            yield event.phase.name, "nothing was tried"


def failures(recorder):
    for nodes in recorder.checks.values():
        for node in nodes:
            if node.status == Status.FAILURE:
                failure = node.failure_info.failure
                if not is_of_the_contract(node.name, failure.operation):
                    yield f"{node.name} {failure.operation}", f"{failure.message}\n{node.failure_info.code_sample}"


@pytest.mark.parametrize("kind", ["anonymous", "member", "admin"])
def test_every_answer_is_one_that_the_document_foresees(forgiving, people, ledger, kind):
    token = {"anonymous": lambda: None, "member": lambda: people.alice.token, "admin": lambda: people.admin.token}[
        kind
    ]()
    schema = schemathesis.openapi.from_wsgi("/openapi.json", forgiving, config=configuration(token))
    found = dict(findings(schema))
    assert not found, json.dumps(found, indent=1)
    assert ledger.requests[ledger.test] > 500
