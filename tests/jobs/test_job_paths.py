"""Jobs are run under the path of this release and under that of the release before."""

import pytest
from rq import Queue

from jobs.doorbell import JOBS
from tests.stack import running
from tests.waiting import eventually


@pytest.mark.parametrize("path", sorted(JOBS))
def test_worker_runs_jobs_under_each_path_that_another_release_may_queue(
    path, tmp_path, database_url, redis_url, redis, rows
):
    email_id = rows.promise()
    queue = Queue("emails", connection=redis, serializer="json")
    queue.enqueue_many([Queue.prepare_data(path, (email_id,), job_id="of-another-release")])
    with running(tmp_path, database_url=database_url, redis_url=redis_url, names=["worker"]) as stack:
        eventually(lambda: rows[email_id]["status"] == "sent" and queue.count == 0, saying=stack.words)
    assert [line for line in stack.worker.lines if line["event"] == "job_refused"] == []
    assert queue.failed_job_registry.count == 0
