"""How gunicorn serves the API; the reasons stand beside the values."""

import atexit
import os
import shutil
import tempfile
from functools import partial
from pathlib import Path

import gunicorn.http.wsgi
import gunicorn.util
from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

from scheduling.http.headers import HEADERS
from scheduling.server.buffered_response import BufferedResponse
from scheduling.server.parse_error import write_refusal
from scheduling.settings import read_settings

# Read here too, so that a bad value stops the master with one line and no worker is started again and again.
settings = read_settings()

bind = f"0.0.0.0:{settings.port}"

# gthread: threads wait for PostgreSQL together, and a slow client holds up one of them instead of a process. Ours adds
# limits of time to what gunicorn waits for without one.
worker_class = "scheduling.server.worker.Worker"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = settings.threads
if workers < 1:
    raise SystemExit("Bad setting. WEB_CONCURRENCY: must be at least 1.")

# The application is loaded once and shared by the workers; it opens its connections after the fork.
preload_app = True

# The router gives a request 30 s. A deployment waits a little less, so that no request is cut by a kill.
timeout = 30
graceful_timeout = 25
# The router keeps a connection for 90 s. Who closes first may cut a request that is on its way: not we.
keepalive = 95

# A worker that writes its heartbeat to a busy disk looks dead.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  holds no data

# It would be a socket in the home folder, through which the server can be controlled.
control_socket_disable = True

# The application logs each request once, with its id.
accesslog = None
errorlog = "-"
if settings.in_production:
    logger_class = "scheduling.server.log.JsonLogger"

# The one in C is faster by 17 µs a request, and takes bare line feeds and folded headers for what they are not.
http_parser = "python"

# It would take a header named SCRIPT_NAME from a proxy on this host, whoever has written it.
forwarder_headers = ""

# More than any client of ours sends; what is larger is refused before the application sees it.
limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190

# Each process measures its requests in files of this folder, and whoever is asked adds them up.
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    _folder = tempfile.mkdtemp(prefix="scheduling-metrics-", dir=worker_tmp_dir)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = _folder
    # The processes inherit this, and may not remove what the others use.
    atexit.register(lambda master: os.getpid() != master or shutil.rmtree(_folder, ignore_errors=True), os.getpid())


def child_exit(server: Arbiter, worker: Worker) -> None:  # noqa: ARG001  gunicorn names its arguments
    """Forget how many connections a process held that has ended; what it counted stays."""
    # prometheus_client's own function for this would be imported before the folder is known, and then use none.
    for path in Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).glob(f"gauge_live*_{worker.pid}.db"):
        path.unlink(missing_ok=True)


# gunicorn names itself in each answer and has no setting for that.
gunicorn.http.wsgi.SERVER = "scheduling"

# It writes an answer in two pieces.
gunicorn.http.wsgi.create = partial(gunicorn.http.wsgi.create, response_class=BufferedResponse)

# Its own answer to what is not HTTP is a page; ours has the shape of every other refusal.
gunicorn.util.write_error = partial(write_refusal, HEADERS)
