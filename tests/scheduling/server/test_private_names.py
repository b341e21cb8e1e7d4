"""gunicorn still has every private name that the server relies on, and the list of them is complete."""

import ast
import inspect
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from gunicorn import glogging, http, util
from gunicorn.config import Config
from gunicorn.http import errors, wsgi
from gunicorn.http.message import Request
from gunicorn.workers import gthread

ROOT = Path(__file__).resolve().parents[3]
DECISION = "docs/decisions/0019-private-names-of-gunicorn.md"
WHAT_TO_DO = (
    f"Read what replaced it in gunicorn's source, follow in scheduling/server, write the new name into {DECISION}, "
    "and run tests/attack/test_slow_clients.py. Until then keep the locked version of gunicorn."
)
NAMES = re.findall(r"^\| `([\w.]+)(\([\w, ]*\))?`", (ROOT / DECISION).read_text(), re.MULTILINE)
SOURCES = sorted((ROOT / "scheduling").rglob("*.py"))


@pytest.fixture(scope="module")
def owners():
    """Offer whatever a name of the list belongs to: modules of gunicorn, and instances as gunicorn makes them."""
    config = Config()
    worker = gthread.ThreadWorker(0, 0, [], None, 30, config, None)
    ours, theirs = socket.socketpair()
    with ours, theirs, ThreadPoolExecutor(1) as threads:
        parser = http.get_parser(config, ours, ("127.0.0.1", 1))
        yield {
            "gthread": gthread,
            "wsgi": wsgi,
            "util": util,
            "glogging": glogging,
            "errors": errors,
            "ThreadWorker": worker,
            "TConn": gthread.TConn(config, ours, None, None),
            "Parser": parser,
            "Unreader": parser.unreader,
            "ThreadPoolExecutor": threads,
            "Request": Request,
            "Response": wsgi.Response(None, ours, config),
            "Logger": glogging.Logger(config),
        }
    worker.tmp.close()


@pytest.mark.parametrize(("name", "parameters"), NAMES, ids=lambda value: value or "is-there")
def test_gunicorn_still_has_the_name(owners, name, parameters):
    owner, attribute = name.split(".")
    assert hasattr(owners[owner], attribute), f"gunicorn has no {name} any more. {WHAT_TO_DO}"
    if parameters:
        wanted = re.findall(r"\w+", parameters)
        known = inspect.signature(getattr(owners[owner], attribute)).parameters
        assert set(wanted) <= known.keys(), f"{name} of gunicorn takes {list(known)} now, not {wanted}. {WHAT_TO_DO}"


def test_gunicorn_still_calls_what_is_replaced():
    for function, call in ((gthread.ThreadWorker.handle_request, "wsgi.create("), (util.write, "sock.sendall(")):
        assert call in inspect.getsource(function), f"{function.__qualname__} has no {call}…) any more. {WHAT_TO_DO}"
    handle_error = inspect.getsource(gthread.ThreadWorker.handle_error)
    assert "util.write_error(" in handle_error, f"gunicorn refuses in another way now. {WHAT_TO_DO}"
    assert '"gunicorn.socket"' in inspect.getsource(wsgi), f"environ has no gunicorn.socket any more. {WHAT_TO_DO}"


def used_names(owners):
    """Yield what our code imports from gunicorn, and what it asks of a worker and of a connection."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gunicorn."):
                yield from (f"{node.module.rpartition('.')[2]}.{alias.name}" for alias in node.names)
    worker = ast.parse((ROOT / "scheduling/server/worker.py").read_text())
    for node in ast.walk(worker):
        if isinstance(node, ast.FunctionDef) and hasattr(gthread.ThreadWorker, node.name):
            yield f"ThreadWorker.{node.name}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = {"self": "ThreadWorker", "conn": "TConn", "util": "util"}.get(node.value.id)
            if owner and hasattr(owners[owner], node.attr):
                yield f"{owner}.{node.attr}"


def test_list_is_complete(owners):
    missing = set(used_names(owners)) - {name for name, _ in NAMES} - {"ThreadWorker.__init__"}
    assert not missing, f"Write {sorted(missing)} into the table of {DECISION}"
    assert len(NAMES) > 30
