"""The bench measures reads beside logins, and watches memory and starts."""

import json
import os
import re
import subprocess
import sys
from dataclasses import asdict, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import bcrypt
import pytest

from scripts.bench import logins, memory
from scripts.bench.arguments import read_arguments
from scripts.bench.load import find_load_generator
from scripts.bench.logins import Reads
from scripts.bench.measure import Measurement, Turn, summarise
from scripts.bench.memory import MEGABYTE, WEB, WORKER, Memory, Soak, memory_of, pieces, start_time
from scripts.bench.peer_servers import ORIGINAL
from scripts.bench.report import Report, Section
from scripts.bench.routes import Person
from scripts.bench.seed import PASSWORD, Sizes, fill
from scripts.bench.system import API
from scripts.stack.errors import StackError
from scripts.stack.programs import Place
from scripts.stack.servers import HOST
from tests.databases import ask, connected, empty_database

SIZES = Sizes(users=3, bookings=60, notifications=10, analytics_events=10)


@pytest.fixture(scope="module")
def seeded():
    """Offer a database with what the bench seeds, but little of it."""
    with empty_database() as address:
        migrate = [sys.executable, "scripts/migrate.py"]
        subprocess.run(migrate, env=os.environ | {"DATABASE_URL": address}, check=True)
        fill(address, SIZES, lambda _: None)
        yield address


@pytest.fixture
def server():
    """Start a server that answers reads and refuses everybody who signs in; yield its port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200 if self.command == "GET" else 401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self):
            self.do_GET()

        def log_message(self, *_):
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        # As many connections at once as there are clients.
        request_queue_size = 64

    with Server((HOST, 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.01,)).start()
        yield server.server_port
        server.shutdown()


def measurement(speed, errors=0):
    return Measurement(speed, 1.5, 12.3, 100, 50, 5, 3, 0.02, errors)


def report_of(results=(), **more):
    return Report("make bench", "wrk", {}, [], results, **more)


# Logins


def test_people_who_sign_in_have_passwords_as_dear_as_in_production(seeded):
    emails = logins.choose_people(seeded)
    with connected(seeded) as connection:
        rows = ask(connection, "SELECT email, password_hash FROM users ORDER BY id")
    assert sorted(emails) == [row["email"] for row in rows]
    assert all(row["password_hash"].startswith("$2b$10$") for row in rows)
    assert bcrypt.checkpw(PASSWORD.encode(), rows[0]["password_hash"].encode())


def test_reads_and_logins_are_counted_apart(server, tmp_path, monkeypatch):
    monkeypatch.setattr(logins, "LEAD_SECONDS", 0.1)
    generator = find_load_generator(1, tmp_path, built_in=True)
    reads = logins.read_beside_logins(server, [Person("token", [7])], ["a@example.com"], generator, 1)
    assert reads.reads_per_second > 0 < reads.refused
    assert reads.errors == reads.logins_per_second == 0


def test_reads_beside_logins_are_compared_with_the_original_round_by_round():
    rounds = {
        API: [Reads(900, 5, p99, 0, 20, 0) for p99 in (10, 20, 30)],
        ORIGINAL: [Reads(10, 500, p99, 0, 20, 0) for p99 in (2000, 600, 2000)],
    }
    section = logins.summarise(rounds)
    head, _, ours, _ = (re.split(r" *\| *", line)[1:-1] for line in section.text.splitlines()[2:6])
    assert head == ["server", "reads/s", "p50 ms", "p99 ms", "errors", "logins/s", "refused", f"÷ {ORIGINAL}"]
    assert ours == [API, "900", "5", "20", "0", "20", "0", "66.7"]
    assert section.figures[API][1] == asdict(rounds[API][1])
    assert not section.failed


@pytest.mark.parametrize("fault", ["errors", "refused"])
def test_refusal_is_a_failure(fault):
    reads = Reads(900, 5, 10, 0, 20, 0)
    assert logins.summarise({API: [reads, replace(reads, **{fault: 1})]}).failed


# Memory


def test_memory_is_that_of_a_process_and_its_children():
    size = 64 * MEGABYTE
    hold = f"import sys; held = bytes([1]) * {size}; print('ready', flush=True); sys.stdin.read()"
    before = memory_of(os.getpid())
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"ready\n"
        after, alone = memory_of(os.getpid()), memory_of(child.pid)
        child.stdin.close()
    assert alone.resident >= alone.anonymous >= size
    assert after.anonymous - before.anonymous >= 0.9 * size
    assert memory_of(child.pid) == Memory(0, 0)


@pytest.mark.parametrize(("seconds", "count"), [(20, 20), (45, 23), (600, 60), (605, 61)])
def test_pieces_of_a_soak_are_as_long_as_the_whole(seconds, count):
    lengths = list(pieces(seconds))
    assert sum(lengths) == seconds
    assert len(lengths) == count
    assert min(lengths) >= 1


def soak_of(web, errors=0):
    samples = [
        (60.0 * number, {WEB: Memory(2 * size * MEGABYTE, size * MEGABYTE), WORKER: Memory(MEGABYTE, MEGABYTE)})
        for number, size in enumerate(web)
    ]
    return memory.summarise(Soak(samples, errors, 1000))


def test_growth_during_the_warm_up_and_one_sample_do_not_count():
    section = soak_of([50, 90, *[100] * 5, *[102] * 4])
    assert re.search(r"\| web +\| +100\.0 \| +200\.0 \| +204\.0 \| +\+2\.0% \|", section.text)
    assert not section.failed
    assert not soak_of([50, 90, *[100] * 8, 150]).failed


def test_growth_and_errors_are_failures():
    assert soak_of(range(100, 111)).failed
    assert soak_of([100] * 11, errors=1).failed


def test_start_takes_until_the_worker_says_so(tmp_path):
    place = Place(tmp_path, os.environ, tmp_path)
    speak = """sh -c 'echo "{\\"event\\":\\"worker_started\\"}"; exec sleep 60'"""
    assert 0 < start_time(WORKER, speak, place) < 30
    with pytest.raises(StackError, match="ended with 3: no Redis"):
        start_time(WORKER, "sh -c 'echo no Redis; exit 3'", place)


def test_every_report_has_a_line_about_starts_and_one_about_memory():
    sizes = {WEB: Memory(80 * MEGABYTE, 0), WORKER: Memory(40 * MEGABYTE, 0)}
    text = report_of(facts=memory.facts({WEB: 0.62, WORKER: 0.4}, ("at rest", sizes), ("at the end", sizes))).text()
    assert "- ready after: web 0.6 s, worker 0.4 s\n" in text
    assert "- memory: web 80 MB at rest, 80 MB at the end, worker 40 MB at rest, 40 MB at the end\n" in text


# Report


def test_report_fails_with_its_results_and_sections():
    good, bad = (summarise({Turn("GET /x", API): [measurement(1, errors)]}, []) for errors in (0, 1))
    section = Section("logins", "## Reads", {})
    assert not report_of(good, sections=[section]).failed
    assert report_of(bad).failed
    assert report_of(good, sections=[section, replace(section, failed=True)]).failed


def test_report_of_a_soak_leaves_that_of_the_routes_alone(tmp_path):
    report_of(summarise({Turn("GET /x", API): [measurement(1)]}, [])).write(tmp_path)
    before = {path: path.read_text() for path in tmp_path.iterdir()}
    assert sorted(path.name for path in before) == ["latest.json", "latest.md", "latest.svg"]
    report_of(sections=[Section("soak", "## Soak", {"requests": 7})]).write(tmp_path)
    assert {path: path.read_text() for path in before} == before
    assert (tmp_path / "latest-soak.md").read_text().endswith("\n\n## Soak\n")
    assert json.loads((tmp_path / "latest-soak.json").read_text())["soak"] == {"requests": 7}


# Arguments


def test_logins_are_measured_with_all_routes_or_when_asked_for():
    some = ["--routes", "dashboard"]
    expected = [([], True), (some, False), ([*some, "--logins"], True), (["--no-logins"], False)]
    assert [read_arguments(words).logins for words, _ in expected] == [logins for _, logins in expected]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--soak", "600", "--peers"], "this revision alone"),
        (["--soak", "5"], "from 20 to"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(words, complaint, capsys):
    with pytest.raises(SystemExit):
        read_arguments(words)
    assert complaint in capsys.readouterr().err
