"""The setting for poolers reaches whoever speaks to PostgreSQL; docs/scaling.md says why it has to."""

import ast

import pytest

from jobs.analytics.rollup import make_rollup
from jobs.delivery.deliver import delivery
from jobs.settings import read_delivery_settings
from scheduling.app import create_app
from scheduling.context import services
from scheduling.settings import read_settings
from tests.stack import ROOT

PACKAGES = ("scheduling", "jobs", "scripts")


def sessions():
    """Return where a session of PostgreSQL is described, and the names of what is said of it."""
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            # Those of requests, which are others, take no arguments.
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Session" and node.args:
                yield f"{path.relative_to(ROOT)}:{node.lineno}", {keyword.arg for keyword in node.keywords}


def test_every_session_is_told_whether_it_prepares():
    told = dict(sessions())
    assert len(told) >= 4
    assert [place for place, names in told.items() if "prepares" not in names] == []


@pytest.mark.parametrize(("said", "prepares"), [("false", False), ("true", True), (None, True)])
def test_web_and_worker_prepare_as_the_setting_says(settings, monkeypatch, said, prepares):
    if said is not None:
        monkeypatch.setenv("DATABASE_PREPARED_STATEMENTS", said)
    with create_app(read_settings()).app_context():
        web = services().database
    worker, rollup = delivery.__wrapped__().database, make_rollup(read_delivery_settings()).database
    assert {database.pool.session.prepares for database in (web, worker, rollup)} == {prepares}
