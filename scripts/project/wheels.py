"""Record which wheels the locked files name for each Python and machine, and what each of them requires."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import chain, product
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / "requirements-wheels.json"
# Everything that the other locked files name stands in this one too.
LARGEST = ROOT / "requirements-dev.txt"

PYTHONS = ("3.11.0", "3.12.0", "3.13.0", "3.14.0")
MACHINES = ("x86_64", "aarch64")
# The C library of the oldest Linux that is served (Debian 10, RHEL 8), and the oldest that a wheel may name.
NEWEST_GLIBC, OLDEST_GLIBC = 28, 5


@dataclass(frozen=True, slots=True)
class Target:
    """A Python on a machine that runs Linux."""

    python: str
    machine: str

    @property
    def environment(self) -> dict[str, str]:
        """Return what markers are evaluated with."""
        return {
            "implementation_name": "cpython",
            "implementation_version": self.python,
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_system": "Linux",
            "python_full_version": self.python,
            "python_version": self.python.rpartition(".")[0],
            "sys_platform": "linux",
            "extra": "",
        }

    @property
    def platforms(self) -> list[str]:
        """Return the names of its platform in wheels, the newest first."""
        glibcs = [f"manylinux_2_{minor}" for minor in range(NEWEST_GLIBC, OLDEST_GLIBC - 1, -1)]
        return [f"{name}_{self.machine}" for name in (*glibcs, "manylinux2014", "manylinux2010", "manylinux1")]


@dataclass(frozen=True, slots=True)
class Wheel:
    """A file that a package is installed from."""

    file: str
    sha256: str
    requires: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pin:
    """A locked version, where it counts, and the hashes of its files."""

    requirement: Requirement
    hashes: frozenset[str]

    @property
    def name(self) -> str:
        """Return the name in the one spelling that can be compared."""
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> str:
        """Return the one version that is allowed."""
        (specifier,) = self.requirement.specifier
        return specifier.version

    def wheels(self, target: Target, wheels: Iterable[Wheel]) -> list[Wheel]:
        """Return those that its hashes allow and the target can install."""
        return [wheel for wheel in wheels if wheel.sha256 in self.hashes and fits(wheel.file, target)]

    def counts(self, target: Target) -> bool:
        """Tell whether the target installs it."""
        return self.requirement.marker is None or self.requirement.marker.evaluate(target.environment)


TARGETS = tuple(Target(python, machine) for python, machine in product(PYTHONS, MACHINES))


@cache
def tags(target: Target) -> frozenset[Tag]:
    """Return the tags of the wheels that a target can install."""
    major, minor, _ = (int(part) for part in target.python.split("."))
    own = cpython_tags((major, minor), platforms=target.platforms)
    return frozenset(chain(own, compatible_tags((major, minor), f"cp{major}{minor}", target.platforms)))


@cache
def fits(file: str, target: Target) -> bool:
    """Tell whether a target can install the wheel with this name."""
    return not tags(target).isdisjoint(parse_wheel_filename(file)[3])


def read_pins(file: Path) -> list[Pin]:
    """Read a locked file."""
    lines = (line for line in file.read_text().splitlines() if not line.lstrip().startswith("#"))
    entries = "\n".join(lines).replace("\\\n", " ").splitlines()
    pins = []
    for entry in filter(str.strip, entries):
        requirement, *hashes = entry.split(" --hash=sha256:")
        pins.append(Pin(Requirement(requirement), frozenset(each.strip() for each in hashes)))
    return pins


def read_wheels() -> list[Wheel]:
    """Read what was recorded before."""
    recorded = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    return [Wheel(file, wheel["sha256"], tuple(wheel["requires"])) for file, wheel in recorded.items()]


def main() -> None:
    """Ask pip about the wheels that are not recorded yet, and forget those that are no longer locked."""
    pins = read_pins(LARGEST)
    allowed = frozenset(chain.from_iterable(pin.hashes for pin in pins))
    known = [wheel for wheel in read_wheels() if wheel.sha256 in allowed]
    with ThreadPoolExecutor(max_workers=4) as pool:
        found = chain.from_iterable(pool.map(lambda target: ask_pip(target, pins, known), TARGETS))
        wheels = {wheel.file: {"requires": wheel.requires, "sha256": wheel.sha256} for wheel in (*known, *found)}
    RECORD.write_text(json.dumps(wheels, indent=1, sort_keys=True) + "\n")


def ask_pip(target: Target, pins: Iterable[Pin], known: Iterable[Wheel]) -> list[Wheel]:
    """Return the wheels that pip takes for the pins that have none yet."""
    # pip evaluates markers for the Python that runs it, so that is done here.
    missing = [pin for pin in pins if pin.counts(target) and not pin.wheels(target, known)]
    if not missing:
        return []
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        # A dry run without hashes reads the metadata and downloads nothing else.
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--no-deps"]
        where = [f"--target={folder}", f"--python-version={target.python.rpartition('.')[0]}"]
        platforms = [f"--platform={platform}" for platform in target.platforms]
        wanted = ["--only-binary=:all:", f"--report={report}", *(f"{pin.name}=={pin.version}" for pin in missing)]
        if subprocess.run([*command, *where, *platforms, *wanted], check=False).returncode:
            sys.exit(f"Not every package has a wheel for Python {target.python} on {target.machine}.")
        return [as_wheel(item) for item in json.loads(report.read_text())["install"]]


def as_wheel(item: dict[str, Any]) -> Wheel:
    """Read an entry of pip's report."""
    source, metadata = item["download_info"], item["metadata"]
    file = unquote(urlsplit(source["url"]).path.rpartition("/")[2])
    return Wheel(file, source["archive_info"]["hashes"]["sha256"], tuple(metadata.get("requires_dist", [])))


if __name__ == "__main__":
    main()
