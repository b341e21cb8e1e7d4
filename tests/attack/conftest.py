"""What every attack may ask for, and the ledger of all of them."""

import pytest

from tests.attack.ledger import LEDGER, WANTED
from tests.stack import Browser


@pytest.fixture(autouse=True)
def ledger(request, app, monkeypatch):
    """Count what a test sends, in this process and over HTTP; no answer may be above 499."""
    LEDGER.test = request.node.nodeid
    monkeypatch.setattr(app, "wsgi_app", LEDGER.counting(app.wsgi_app))
    monkeypatch.setattr(Browser, "open", noted(Browser.open))
    yield LEDGER
    assert LEDGER.faults[request.node.nodeid] == 0


def noted(send):
    def note(self, *arguments, **options):
        answer = send(self, *arguments, **options)
        LEDGER.note(answer.status_code)
        return answer

    return note


def pytest_sessionfinish(session):
    """Hand the ledger of a test process over; fail a long run that was not long."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["attack"] = (dict(LEDGER.requests), dict(LEDGER.faults))
    elif session.exitstatus == 0 and LEDGER.requests.total() < WANTED:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Take over the ledger of a test process."""
    LEDGER.add(*getattr(node, "workeroutput", {}).get("attack", ({}, {})))


def pytest_terminal_summary(terminalreporter):
    """End with the one line that counts."""
    wanted = f" ({WANTED:,} were wanted)" if LEDGER.requests.total() < WANTED else ""
    terminalreporter.write_line(f"{LEDGER}{wanted}")
    for test, number in LEDGER.faults.items():
        terminalreporter.write_line(f"  {number} in {test}")
