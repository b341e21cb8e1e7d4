#!/usr/bin/env python3
"""Set up, run and test the project with nothing but Python and a network to install packages from."""

import argparse
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
REQUIREMENTS = ROOT / "requirements-dev.txt"
STAMP = ENVIRONMENT / "installed"
OLDEST = (3, 11)

# A test mostly waits for servers that all share: more processes than this gain nothing.
ALL_TESTS = ["-n", "logical", "--maxprocesses", "4"]


def main() -> None:
    """Bootstrap the environment and hand over to the command that runs inside it."""
    arguments = read_arguments()
    # This file also starts where the project cannot.
    if sys.version_info < OLDEST:
        sys.exit(f"Python 3.11 or newer is needed, and this is {platform.python_version()} ({sys.executable}).")
    os.chdir(ROOT)
    bootstrap()
    # Commands such as gunicorn and rq are looked up on the path.
    os.environ["PATH"] = f"{PYTHON.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    if arguments.command == "run":
        hand_over("scripts.local")
    elif arguments.command == "test":
        hand_over("pytest", *(arguments.arguments or ALL_TESTS))


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="setup | run | test")
    commands.add_parser("setup", help="create .venv and install requirements-dev.txt into it")
    commands.add_parser("run", help="run PostgreSQL, Valkey, the API and the e-mail worker")
    # Without a prefix for options, everything that follows is left to pytest.
    test = commands.add_parser("test", help="run pytest with the arguments given", prefix_chars="\0", add_help=False)
    test.add_argument("arguments", nargs="*")
    return parser.parse_args()


def bootstrap() -> None:
    """Create the virtual environment unless it holds what the requirements ask for."""
    wanted = fingerprint(REQUIREMENTS)
    if PYTHON.exists() and STAMP.exists() and STAMP.read_text() == wanted:
        return
    print(f"Installing requirements-dev.txt into .venv with Python {platform.python_version()} ...", flush=True)
    if not (install_with_uv() or install_with_pip()):
        sys.exit("The packages could not be installed: the reason stands above.")
    STAMP.write_text(wanted)
    print("Installed: make run starts everything, make test tests it.", flush=True)


def fingerprint(requirements: Path) -> str:
    """Return what an environment was made from: these packages, for this Python, in this folder."""
    packages = hashlib.sha256(requirements.read_bytes()).hexdigest()
    return f"{packages} {platform.python_version()} {requirements.parent}"


def install_with_uv() -> bool:
    """Install with uv, which takes seconds, and tell whether that worked."""
    if shutil.which("uv") is None:
        return False
    create = ["uv", "venv", "--quiet", "--clear", "--no-project", "--python", base_python(), str(ENVIRONMENT)]
    install = ["uv", "pip", "install", "--quiet", "--require-hashes", "--python", str(PYTHON)]
    if succeeds(*create) and succeeds(*install, "-r", str(REQUIREMENTS)):
        return True
    print("uv failed, so pip has a try: the two read different settings for mirrors.", flush=True)
    return False


def install_with_pip() -> bool:
    """Install with what Python brings along, and tell whether that worked."""
    if importlib.util.find_spec("ensurepip") is None:
        version = ".".join(platform.python_version_tuple()[:2])
        sys.exit(f"Python's venv is missing: install it (Debian: apt install python{version}-venv), or install uv.")
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    return succeeds(base_python(), "-m", "venv", "--clear", str(ENVIRONMENT)) and succeeds(
        str(PYTHON), *install, "-r", str(REQUIREMENTS)
    )


def base_python() -> str:
    """Return the interpreter that an environment is made with, even if this one lives in it."""
    if sys.prefix == sys.base_prefix:
        return sys.executable
    return str(Path(sys.base_prefix) / "bin" / "python{}.{}".format(*sys.version_info))


def succeeds(*command: str) -> bool:
    """Run a command and tell whether it succeeded."""
    return subprocess.run(command, check=False).returncode == 0


def hand_over(module: str, *arguments: str) -> None:
    """Become a module's command inside the environment, so that signals reach it directly."""
    os.execv(PYTHON, [str(PYTHON), "-m", module, *arguments])  # noqa: S606  no shell is wanted


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("Interrupted.")
