"""Requests and the pool of connections are measured, over all processes of a server together."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from scripts.stack.servers import Valkey
from tests.stack import running
from tests.waiting import eventually

ROUTE = "/api/v1/bookings/<id:booking_id>"


def samples(client):
    """Return what /metrics says, by name and labels."""
    text = client.get("//metrics").get_data(as_text=True)
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def requests(measured, **labels):
    return measured.get(("scheduling_http_requests_total", *sorted(labels.items())), 0)


@pytest.fixture
def stack(tmp_path, database, database_url, redis_url):
    with running(tmp_path, database_url=database_url, redis_url=redis_url, names=["web"]) as stack:
        yield stack


def test_requests_are_counted_by_route_and_status(client, people):
    booking = people.alice.booking("Standup", day=3, hour=9)
    before = samples(client)
    for person in (people.alice, people.alice, people.carol):
        person.get(f"/bookings/{booking['id']}")
    client.get("/nowhere")
    client.send("BREW", "//coffee")
    after = samples(client)

    def more(**labels):
        return requests(after, **labels) - requests(before, **labels)

    assert more(method="GET", route=ROUTE, status="200") == 2
    assert more(method="GET", route=ROUTE, status="404") == 1
    assert more(method="GET", route="unmatched", status="404") == 1
    assert more(method="other", route="unmatched", status="404") == 1


def test_histogram_has_every_request_in_its_last_bucket(client):
    client.get("//health")
    measured = samples(client)
    name, labels = "scheduling_http_request_duration_seconds", (("method", "GET"), ("route", "/health"))
    assert measured[f"{name}_count", *labels] == measured[f"{name}_bucket", ("le", "+Inf"), *labels] >= 1
    assert 0 < measured[f"{name}_sum", *labels] < 60


def test_processes_tell_one_sum(stack):
    eventually(lambda: len(stack.web.family) == 3, within=10)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: stack.client.get("//health/ready").status_code, range(40)))
    assert answers == [200] * 40
    told = [samples(stack.client) for _ in range(6)]
    asked = {requests(one, method="GET", route="/health/ready", status="200") for one in told}
    assert asked == {40}
    assert {one[("scheduling_database_pool_size",)] for one in told} <= {8, 16}
    assert told[-1][("scheduling_database_pool_in_use",)] == 0


def test_count_outlives_a_killed_process_and_its_connections_do_not(stack):
    for _ in range(10):
        stack.client.get("//health/ready")
    master, *children = stack.web.family
    for child in children:
        child.kill()
    eventually(lambda: not any(child.is_running() for child in children), within=10)
    eventually(lambda: len(stack.web.family) == 3, within=10)
    measured = eventually(lambda: samples(stack.client), within=10)
    assert requests(measured, method="GET", route="/health/ready", status="200") == 10
    assert measured[("scheduling_database_pool_size",)] <= 16
    assert master.is_running()


def test_every_line_of_a_server_in_production_is_json(stack):
    assert stack.client.get("//health").status_code == 200
    # A signal that meets a process while it boots is heard after the grace.
    assert stack.web.stop(within=40) == 0
    assert stack.web.lines
    assert len(stack.web.lines) == len(stack.web.output.splitlines())
    assert {"event", "level", "time"} <= set.intersection(*(set(line) for line in stack.web.lines))


def test_every_line_of_a_worker_in_production_is_json(tmp_path, database, database_url):
    with (
        Valkey(tmp_path / "valkey") as valkey,
        running(tmp_path, database_url=database_url, redis_url=valkey.url, names=["worker"]) as stack,
        Redis.from_url(valkey.url) as redis,
    ):
        # It waits for a job, which is one blocked command: from then on it hears signals.
        eventually(lambda: redis.info("clients")["blocked_clients"], within=20, saying=stack.words)
        assert stack.worker.stop() == 0
    assert stack.worker.lines
    assert len(stack.worker.lines) == len(stack.worker.output.splitlines())
