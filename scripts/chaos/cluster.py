"""Everything that a run breaks: PostgreSQL, Valkey and the processes of the Procfile, started again when they die."""

import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

import psutil
import psycopg2
from psycopg2 import sql

from scripts.chaos.faults import WORKERS
from scripts.chaos.provider import Provider
from scripts.stack import processes
from scripts.stack.errors import StackError
from scripts.stack.ports import free_port
from scripts.stack.procfile import ROOT, read_procfile
from scripts.stack.programs import answers
from scripts.stack.servers import HOST, Postgres, Valkey

DATABASE = "chaos"
START_SECONDS = 60.0
# The web and each worker sign in under a name of their own, so that the database can tell them apart.
PROCESSES = ("web", *WORKERS)
ROLES = (*PROCESSES, "crowd")
# After a crash PostgreSQL would otherwise synchronise each of its thousand files, which can take longer than a fault.
POSTGRES_SETTINGS = {"max_connections": "60", "recovery_init_sync_method": "syncfs"}
WEB_CONCURRENCY = 2
WEB_THREADS = 8

# Who claims a mail and who settles it, in the order of the database.
AUDIT = """
CREATE TABLE chaos_audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email_id bigint, who text, claims boolean,
    at float8 DEFAULT extract(epoch FROM clock_timestamp())
);
CREATE FUNCTION chaos_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chaos_audit (email_id, who, claims) VALUES (new.id, session_user, new.fence <> old.fence);
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_audit AFTER UPDATE ON emails FOR EACH ROW
WHEN (new.fence <> old.fence OR old.lease_until IS NOT NULL AND new.lease_until IS NULL
      OR new.status NOT IN (old.status, 'superseded'))
EXECUTE FUNCTION chaos_audit();
"""


class RestartedProcess:
    """A process of the Procfile; what dies is started again at once."""

    def __init__(self, name: str, command: str, environment: dict[str, str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self.starts = 0
        self._command = command
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None
        self._stopping = threading.Event()
        # Its processes are tied to the thread that starts them.
        self._thread = threading.Thread(target=self._keep_alive, name=name, daemon=True)

    def start(self) -> None:
        """Start the process."""
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """Return the id of the process that runs now, if one does."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    def send(self, number: signal.Signals) -> bool:
        """Send the process a signal; tell whether it was there."""
        process = self._process
        if process is None or process.returncode is not None:
            return False
        process.send_signal(number)
        return True

    def children(self) -> list[psutil.Process]:
        """Return its children."""
        with suppress(psutil.NoSuchProcess):
            if self.pid is not None:
                children: list[psutil.Process] = psutil.Process(self.pid).children()
                return children
        return []

    def stop(self, seconds: float = 25.0) -> None:
        """Let it end in order, and do not start it again."""
        self._stopping.set()
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        self._thread.join(seconds)
        if self._thread.is_alive():
            self.send(signal.SIGKILL)
            self._thread.join(5)

    def _keep_alive(self) -> None:
        while not self._stopping.is_set():
            with self.log.open("ab") as output:
                self._process = processes.start_command(
                    self._command, folder=ROOT, output=output, environment=self._environment
                )
            self.starts += 1
            began = time.monotonic()
            self._process.wait()
            # With the first process of a program all the others end: it led a session of its own.
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            if time.monotonic() - began < 1:
                self._stopping.wait(0.5)


class Cluster:
    """A whole installation in one folder, on the loopback interface."""

    def __init__(self, folder: Path, provider: Provider, names: Sequence[str] = PROCESSES) -> None:
        self.folder = folder
        self.provider = provider
        self.names = names
        # Durable, as in production: a crash of the server must not lose what was committed.
        self.postgres = Postgres(folder / "postgres", settings=POSTGRES_SETTINGS)
        self.redis = Valkey(folder / "valkey")
        self.port = free_port()
        self.programs: dict[str, RestartedProcess] = {}
        self._stack = ExitStack()
        self._password = secrets.token_urlsafe(16)

    @property
    def url(self) -> str:
        """Return the address of the API."""
        return f"http://{HOST}:{self.port}"

    @property
    def database_url(self) -> str:
        """Return the address of the database, as its superuser."""
        return self.postgres.url_for(DATABASE)

    def database_url_as(self, role: str) -> str:
        """Return the address of the database as an ordinary role."""
        return f"postgresql://{role}:{self._password}@{HOST}:{self.postgres.port}/{DATABASE}"

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(self.provider.end)
            self.provider.open()
            stack.enter_context(self.postgres)
            stack.enter_context(self.redis)
            stack.callback(self._stop_programs)
            self._prepare_database()
            for name in self.names:
                self.start(name)
            self.wait_for_web()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _stop_programs(self) -> None:
        threads = [threading.Thread(target=program.stop) for program in self.programs.values()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _prepare_database(self) -> None:
        self.postgres.create_database(DATABASE)
        environment = self._environment("web") | {"DATABASE_URL": self.database_url}
        command = [sys.executable, "scripts/migrate.py"]
        migrated = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
        if migrated.returncode:
            raise StackError(
                f"the database could not be migrated: {migrated.stderr.strip() or migrated.stdout.strip()}"
            )
        connection = psycopg2.connect(self.database_url)
        with connection, connection.cursor() as cursor:
            cursor.execute(AUDIT)
            for role in ROLES:
                statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} IN ROLE pg_read_all_data, pg_write_all_data")
                cursor.execute(statement.format(sql.Identifier(role), sql.Literal(self._password)))
        connection.close()

    def _environment(self, name: str) -> dict[str, str]:
        return {key: os.environ[key] for key in ("HOME", "LANG") if key in os.environ} | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "PYTHONUNBUFFERED": "1",
            "APP_ENV": "production",
            "PORT": str(self.port),
            "GUNICORN_CMD_ARGS": f"--bind {HOST}:{self.port}",
            "WEB_CONCURRENCY": str(WEB_CONCURRENCY),
            "WEB_THREADS": str(WEB_THREADS),
            "DATABASE_URL": self.database_url_as(name),
            "REDIS_URL": self.redis.url,
            "JWT_SECRET": self._password * 2,
            "BCRYPT_ROUNDS": "4",
            "EMAIL_PROVIDER": "resend",
            # Tells the provider who offers.
            "EMAIL_API_KEY": name,
            "EMAIL_API_BASE_URL": self.provider.url,
            "EMAIL_RATE_LIMIT": "6000",
            "RATE_LIMIT_LOGIN_FAILURES": "100000 per minute",
            "RATE_LIMIT_REGISTER": "100000 per minute",
            # All guests come from one address.
            "RATE_LIMIT_GUESTS": "100000 per minute",
            "RATE_LIMIT_GUEST_MAILS_PER_RECIPIENT": "100000 per minute",
            "RATE_LIMIT_GUEST_MAILS_PER_EVENT_TYPE": "100000 per minute",
            "RATE_LIMIT_GUEST_MAILS_PER_ADDRESS": "100000 per minute",
            "HOLDS_PER_ADDRESS": "10000",
        }

    def start(self, name: str) -> None:
        """Start a process of the Procfile and keep it alive."""
        command = read_procfile()[name.partition("_")[0]]
        self.programs[name] = RestartedProcess(name, command, self._environment(name), self.folder)
        self.programs[name].start()

    def wait_for_web(self) -> None:
        """Wait until the API answers."""
        deadline = time.monotonic() + START_SECONDS
        while not answers(f"{self.url}/health"):
            if time.monotonic() > deadline:
                last_lines = self.programs["web"].log.read_text(errors="replace").splitlines()[-1:]
                raise StackError(f"the API did not answer within {START_SECONDS:.0f} s: {' '.join(last_lines)}")
            time.sleep(0.1)
