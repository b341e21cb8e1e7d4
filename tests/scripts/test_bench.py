"""The bench reads its arguments, compares what it has measured, and writes a table and a chart."""

import json
import re
import subprocess
from contextlib import ExitStack
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from xml.etree import ElementTree as ET

import pytest

from scripts.bench import peer_servers
from scripts.bench.arguments import read_arguments
from scripts.bench.chart import chart
from scripts.bench.load import Load, LoadGenerator, find_load_generator
from scripts.bench.measure import Measurement, Turn, compare, median, summarise
from scripts.bench.peer_servers import FASTAPI, ORIGINAL, SOURCES, TUNED
from scripts.bench.report import table
from scripts.bench.routes import BARE, ROUTES, Person, ask, check
from scripts.bench.system import API, BARE_FLASK, BARE_WSGI
from scripts.project.wheels import read_pins
from scripts.stack import revision
from scripts.stack.errors import StackError
from scripts.stack.procfile import read_procfile
from scripts.stack.servers import HOST

SVG = "{http://www.w3.org/2000/svg}"
LIST = "GET /bookings"
PERSON = Person("token", [7, 8])


def measurement(speed, errors=0):
    return Measurement(speed, 1.5, 12.3, 100, 50, 5, 3, 0.02, errors)


@pytest.fixture
def measured():
    """Two rounds: the API is twice as fast as the original, and half as fast as bare Flask."""
    return {
        Turn(BARE.name, BARE_FLASK): [measurement(2000), measurement(4000)],
        Turn(LIST, API): [measurement(1000), measurement(2000)],
        Turn(LIST, ORIGINAL): [measurement(500), measurement(1000, errors=3)],
    }


@pytest.fixture
def answers():
    """Return a function that starts a keep-alive server, which has one answer to everything, and returns its port."""
    with ExitStack() as stack:

        def answer(content, status=200):
            class Handler(BaseHTTPRequestHandler):
                protocol_version = "HTTP/1.1"

                def do_GET(self):
                    body = json.dumps(content).encode()
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

                def log_message(self, *_):
                    """Say nothing."""

            server = stack.enter_context(ThreadingHTTPServer((HOST, 0), Handler))
            Thread(target=server.serve_forever, args=(0.01,)).start()
            stack.callback(server.shutdown)
            return server.server_port

        yield answer


# Arguments


def test_defaults_are_those_of_a_service_that_has_run_for_a_while():
    arguments = read_arguments([])
    assert (arguments.users, arguments.bookings, arguments.notifications, arguments.events) == (10_000, *[10**6] * 3)
    assert (arguments.clients, arguments.peers, arguments.against, arguments.server) == (32, False, None, [])
    assert arguments.routes == list(ROUTES)


def test_servers_are_read_as_names_and_commands():
    commands = ["granian=granian --interface wsgi wsgi:app", "one=gunicorn wsgi:app --workers=1"]
    arguments = read_arguments([word for command in commands for word in ("--server", command)])
    assert arguments.server == [tuple(command.split("=", 1)) for command in commands]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--seconds", "0"], "from 1 to 600"),
        (["--rounds", "many"], "and is 'many'"),
        (["--routes", "DELETE"], "no route has 'DELETE'"),
        (["--users", "10", "--bookings", "100"], "at least 20 times"),
        (["--server", "granian"], "serves wsgi:app"),
        (["--server", "granian=granian other:app"], "serves wsgi:app"),
        (["--server", "a=x wsgi:app", "--server", "a=y wsgi:app"], "two servers named 'a'"),
        (["--against", ORIGINAL], "two servers named 'original'"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(words, complaint, capsys):
    with pytest.raises(SystemExit):
        read_arguments(words)
    assert complaint in capsys.readouterr().err


# Figures


def test_median_is_taken_of_each_figure_and_errors_are_added_up():
    whole = median([measurement(1, errors=2), measurement(5), measurement(3, errors=1)], "errors")
    assert (whole.requests_per_second, whole.errors) == (3, 3)


def test_ratio_is_taken_round_by_round():
    assert compare([measurement(10), measurement(90)], [measurement(5), measurement(30)]) == 2.5


def test_results_are_compared_with_the_baselines_that_ran(measured):
    results = {result.server: result for result in summarise(measured, [ORIGINAL, BARE_FLASK, BARE_WSGI])}
    assert results[API].ratios == {ORIGINAL: 2, BARE_FLASK: 0.5}
    assert results[ORIGINAL].ratios == {ORIGINAL: 1, BARE_FLASK: 0.25}
    assert results[BARE_FLASK].ratios == {BARE_FLASK: 1}


def test_table_has_a_line_for_each_server_and_a_column_for_each_baseline(measured):
    baselines = [ORIGINAL, BARE_FLASK]
    head, ruler, *lines = table(summarise(measured, baselines), baselines).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in (head, *lines)]
    assert cells[0][:5] == ["route", "server", "req/s", "÷ original", "÷ bare Flask"]
    assert [line[:5] for line in cells[1:]] == [
        ["the limit", BARE_FLASK, "3000", "", "1.00"],
        [LIST, API, "1500", "2.00", "0.50"],
        [LIST, ORIGINAL, "750", "1.00", "0.25"],
    ]
    assert [line[-1] for line in cells] == ["errors", "0", "0", "3"]
    assert {len(line) for line in (head, ruler, *lines)} == {len(head)}


def test_chart_has_a_bar_for_each_server_with_the_fastest_the_longest(measured):
    results = [result for result in summarise(measured, []) if result.server != BARE_FLASK]
    drawing = ET.fromstring(chart([*results, replace(results[0], route="<a> & b")]))
    texts = [element.text for element in drawing.iter(f"{SVG}text")]
    widths = [float(element.get("width")) for element in drawing.iter(f"{SVG}rect")][1:]
    assert [text for text in texts if text in (LIST, API, ORIGINAL, "<a> & b")] == [LIST, API, ORIGINAL, "<a> & b", API]
    assert "1,500 req/s, p99 12 ms" in texts
    assert widths == [widths[0], widths[0] / 2, widths[0]]


# Answers


def test_answer_with_another_status_or_shape_is_not_measured(answers):
    port = answers({"error": "No"}, 503)
    with pytest.raises(StackError, match="original answers 503"):
        ask(ROUTES[1], ORIGINAL, port, PERSON)
    with pytest.raises(StackError, match="original answers"):
        ask(replace(ROUTES[3], status=503), ORIGINAL, port, PERSON)


def test_servers_that_disagree_are_not_measured(answers):
    port = answers({"id": 7, "title": "Talk"})
    people = {API: [PERSON], ORIGINAL: [PERSON]}
    check(ROUTES[2], {API: port, ORIGINAL: port}, people)
    numbers = iter((1, 2))
    disagreeing = replace(ROUTES[2], essence=lambda _: next(numbers))
    with pytest.raises(StackError, match="original answers 2, and the API answers 1"):
        check(disagreeing, {API: port, ORIGINAL: port}, people)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_request_is_whole(route):
    head, _, body = route.make(PERSON).partition(b"\r\n\r\n")
    assert head.startswith(route.name.split()[0].encode())
    assert b"Authorization: Bearer token" in head
    assert f"Host: {HOST}".encode() in head
    if body:
        assert f"Content-Length: {len(body)}".encode() in head
        assert json.loads(body)


# Load


def test_built_in_load_generator_counts_answers_and_errors(answers, tmp_path):
    port = answers({"status": "OK"}, 404)
    load = find_load_generator(2, tmp_path, built_in=True).run(port, [BARE.make(PERSON)], 0.3)
    assert isinstance(load, Load)
    assert load.requests == load.errors > 0


def test_load_generator_without_wrk_says_what_it_costs(tmp_path):
    assert "takes more of the cores" in LoadGenerator(1, tmp_path, None).describe()
    assert LoadGenerator(1, tmp_path, "/usr/bin/wrk").describe().startswith("wrk")


# Rivals


def test_peers_that_are_not_installed_are_left_out_with_a_line(tmp_path):
    said = []
    with ExitStack() as stack:
        assert peer_servers.start_peers(stack, tmp_path, {}, None, said.append) == {}
    assert [line.split(" is ")[0] for line in said] == [f"Left out: {name}" for name in (ORIGINAL, TUNED, FASTAPI)]


def test_peers_are_pinned_and_name_no_registry():
    lock = json.loads((SOURCES / "package-lock.json").read_text())
    assert all(
        "integrity" in package and "resolved" not in package for name, package in lock["packages"].items() if name
    )
    wanted = json.loads((SOURCES / "package.json").read_text())["dependencies"]
    assert wanted == {name: lock["packages"][f"node_modules/{name}"]["version"] for name in wanted}
    lines = (SOURCES / "requirements.in").read_text().splitlines()
    assert all(re.fullmatch(r"#.*|[a-z-]+==[\d.]+", line) for line in lines)
    pins = read_pins(SOURCES / "requirements.txt")
    assert {line for line in lines if "==" in line} <= {f"{pin.name}=={pin.version}" for pin in pins}
    assert all(pin.hashes for pin in pins)
    assert {peer.name for peer in peer_servers.PEERS} == {ORIGINAL, TUNED, FASTAPI}


def test_revision_is_checked_out(monkeypatch, tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    (project / "Procfile").write_text("web: gunicorn wsgi:app\nworker: rq worker emails\n")
    commit = [
        *("git", "-c", "user.name=Alice", "-c", "user.email=alice@example.com"),
        *("-c", "commit.gpgsign=false", "commit", "-qm", "First"),
    ]
    for command in (["git", "init", "-q"], ["git", "add", "."], commit):
        subprocess.run(command, cwd=project, check=True)
    monkeypatch.setattr(revision, "ROOT", project)
    folder = revision.check_out("HEAD", tmp_path / "against")
    assert read_procfile(folder) == {"web": "gunicorn wsgi:app", "worker": "rq worker emails"}
    with pytest.raises(StackError, match="revision nowhere"):
        revision.check_out("nowhere", tmp_path / "against")
