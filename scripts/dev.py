#!/usr/bin/env python3
"""Set up, run and test the project with nothing but Python and a network to install packages from."""

import argparse
import fcntl
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
STAMP = ENVIRONMENT / "installed"
OLDEST = (3, 11)

# All packages, and those of them that `make run` needs.
REQUIREMENTS = ROOT / "requirements-dev.txt"
RUN_REQUIREMENTS = ROOT / "requirements-run.txt"

# The files name every package with its hash. Whoever resolves nothing depends on nothing that changes.
AS_LOCKED = ("--require-hashes", "--no-deps")

# A test mostly waits for servers that all share: more processes than this gain nothing.
ALL_TESTS = ["-n", "logical", "--maxprocesses", "4"]


def main() -> None:
    """Bootstrap the environment and hand over to the command that runs inside it."""
    arguments = read_arguments()
    # This file also starts where the project cannot.
    if sys.version_info < OLDEST:
        sys.exit(f"Python 3.11 or newer is needed, and this is {platform.python_version()} ({sys.executable}).")
    os.chdir(ROOT)
    with one_at_a_time():
        bootstrap(RUN_REQUIREMENTS if arguments.command == "run" else REQUIREMENTS)
    # Commands such as gunicorn and rq are looked up on the path.
    os.environ["PATH"] = f"{PYTHON.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    if arguments.command == "run":
        hand_over("scripts.stack.local")
    elif arguments.command == "test":
        hand_over("pytest", *(arguments.arguments or ALL_TESTS))


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="setup | run | test")
    commands.add_parser("setup", help=f"create .venv and install {REQUIREMENTS.name} into it")
    commands.add_parser("run", help="run PostgreSQL, Valkey, the API and the e-mail worker")
    # Without a prefix for options, everything that follows is left to pytest.
    test = commands.add_parser("test", help="run pytest with the arguments given", prefix_chars="\0", add_help=False)
    test.add_argument("arguments", nargs="*")
    return parser.parse_args()


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Keep the environment from being made twice at once."""
    lock = os.open(ROOT, os.O_RDONLY)
    # Installers inherit the lock: one that outlives a start that was killed is waited for.
    os.set_inheritable(lock, True)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(lock)


def bootstrap(requirements: Path) -> None:
    """Install what a file of requirements names, unless the virtual environment holds it."""
    if holds(requirements):
        return
    print(f"Installing {requirements.name} into .venv with Python {platform.python_version()} ...", flush=True)
    kept = STAMP.read_text() if holds(RUN_REQUIREMENTS) else ""
    # Gone while anything changes: an environment that is left half made does not count.
    STAMP.unlink(missing_ok=True)
    if install_with_uv(requirements, anew=not kept) or install_with_pip(requirements, anew=not kept):
        STAMP.write_text(fingerprint(requirements))
        print("Installed: make run starts everything, make test tests it.", flush=True)
        return
    if kept:
        STAMP.write_text(kept)
    sys.exit("The packages could not be installed: the reason stands above.")


def holds(requirements: Path) -> bool:
    """Tell whether a working environment holds all that a file names; the larger file includes the smaller one."""
    enough = {fingerprint(requirements), fingerprint(REQUIREMENTS)}
    return STAMP.exists() and STAMP.read_text() in enough and succeeds(str(PYTHON), "-c", "")


def fingerprint(requirements: Path) -> str:
    """Return what an environment was made from: these packages, for this Python, in this folder."""
    packages = hashlib.sha256(requirements.read_bytes()).hexdigest()
    return f"{packages} {platform.python_version()} {requirements.parent}"


def install_with_uv(requirements: Path, *, anew: bool) -> bool:
    """Install with uv, which takes seconds, and tell whether that worked."""
    if shutil.which("uv") is None:
        return False
    create = ["uv", "venv", "--quiet", "--clear", "--no-project", "--python", base_python(), str(ENVIRONMENT)]
    install = ["uv", "pip", "install", "--quiet", *AS_LOCKED, "--python", str(PYTHON), "-r", str(requirements)]
    if (not anew or succeeds(*create)) and succeeds(*install):
        return True
    print("uv failed, so pip has a try: the two read different settings for mirrors.", flush=True)
    return False


def install_with_pip(requirements: Path, *, anew: bool) -> bool:
    """Install with what Python brings along, and tell whether that worked."""
    if importlib.util.find_spec("ensurepip") is None:
        version = ".".join(platform.python_version_tuple()[:2])
        print(f"Python's venv is missing: install it (Debian: apt install python{version}-venv), or install uv.")
        return False
    # Over an environment that is kept, this adds the pip that uv leaves out.
    create = [base_python(), "-m", "venv", *(["--clear"] if anew else []), str(ENVIRONMENT)]
    # Python compiles a module when it is first used; most of them never are.
    options = ["--quiet", "--disable-pip-version-check", "--no-compile", *AS_LOCKED]
    return succeeds(*create) and succeeds(str(PYTHON), "-m", "pip", "install", *options, "-r", str(requirements))


def base_python() -> str:
    """Return the interpreter that an environment is made with, even if this one lives in it."""
    if sys.prefix == sys.base_prefix:
        return sys.executable
    return str(Path(sys.base_prefix) / "bin" / "python{}.{}".format(*sys.version_info))


def succeeds(*command: str) -> bool:
    """Run a command and tell whether it succeeded."""
    try:
        return subprocess.run(command, check=False, close_fds=False).returncode == 0
    except OSError:
        return False


def hand_over(module: str, *arguments: str) -> None:
    """Become a module's command inside the environment, so that signals reach it directly."""
    os.execv(PYTHON, [str(PYTHON), "-m", module, *arguments])  # noqa: S606  no shell is wanted


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("Interrupted.")
