"""Start processes that do not outlive the one that started them, and end whole families of them."""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import psutil

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def start(
    command: Sequence[str],
    *,
    folder: Path,
    output: int | IO[Any],
    death_signal: signal.Signals = signal.SIGTERM,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[str]:
    """Start a process that gets the death signal as soon as the calling thread is gone."""
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        # Ctrl-C reaches every process of the terminal's group at once; a session of its own keeps the order
        # of the stop in our hands.
        start_new_session=True,
        preexec_fn=_tied_to_parent(death_signal),  # noqa: PLW1509  one system call, and no lock that a thread could hold
    )


def start_command(
    command: str, *, folder: Path, output: int | IO[Any], environment: Mapping[str, str]
) -> subprocess.Popen[str]:
    """Start a command of the Procfile, through the shell that a platform runs it with."""
    return start(["/bin/sh", "-c", f"exec {command}"], folder=folder, output=output, environment=environment)


def as_ordinary_user(folder: Path) -> list[str]:
    """Return what root puts before a command to run it as the owner of a folder."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise FileNotFoundError("PostgreSQL refuses to run as root and setpriv (of util-linux) is missing.")
    owner = folder.stat()
    return [
        setpriv,
        f"--reuid={owner.st_uid}",
        f"--regid={owner.st_gid}",
        "--clear-groups",
        "--no-new-privs",
        # The one privilege that stays opens the folders on the way, such as /root, that are closed to others,
        # so that their permissions can stay as they are. access(2) asks without privileges but for this bit.
        "--securebits=+no_setuid_fixup",
        "--inh-caps=-all,+dac_override",
        "--ambient-caps=+dac_override",
        "--bounding-set=-all,+dac_override",
        # Changing the user clears the signal that announces the parent's death.
        "--pdeathsig=INT",
        "--",
    ]


def family(process_id: int) -> list[psutil.Process]:
    """Return a process and all its descendants, the eldest first."""
    try:
        process = psutil.Process(process_id)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def processor_seconds(process_id: int) -> float:
    """Return the processor time of a process and all its descendants, those that have ended included."""
    total = 0.0
    for process in family(process_id):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def send(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    """Send a signal to each of the processes that still exist."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def end(process_ids: Iterable[int], seconds: float) -> None:
    """Ask processes to end, and kill what is left of their families after a while."""
    families = [family(process_id) for process_id in process_ids]
    send((members[0] for members in families if members), signal.SIGTERM)
    _, alive = psutil.wait_procs([process for members in families for process in members], timeout=seconds)
    send(alive, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=seconds)


def _tied_to_parent(death_signal: signal.Signals) -> Callable[[], None]:
    parent = os.getpid()

    def tie() -> None:
        if LIBC is None:
            return
        LIBC.prctl(PR_SET_PDEATHSIG, death_signal)
        # The parent may have died before the system call: then nobody would ever send the signal.
        if os.getppid() != parent:
            signal.raise_signal(signal.SIGKILL)

    return tie
