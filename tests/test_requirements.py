"""Tests of the locked files: a start needs nothing that they do not name."""

import configparser
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.project.wheels import TARGETS, read_pins, read_wheels

ROOT = Path(__file__).resolve().parents[1]
FILES = {name: read_pins(ROOT / name) for name in ("requirements.txt", "requirements-run.txt", "requirements-dev.txt")}
WHEELS = read_wheels()
# Markers may tell one patch release from another.
LAST_PATCHES = [replace(target, python=f"{target.python.removesuffix('.0')}.99") for target in TARGETS]


def wanted(*sections: str) -> list[Requirement]:
    """Return what setup.cfg asks for, without what it includes of its own."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    extras = config["options.extras_require"]
    lists = [extras[section] if section else config["options"]["install_requires"] for section in sections]
    requirements = [Requirement(line) for text in lists for line in text.split("\n") if line]
    return [requirement for requirement in requirements if requirement.name != config["metadata"]["name"]]


def required_by(pin, target):
    """Yield what a locked package requires of others, the extras that are locked with it included."""
    for wheel in pin.wheels(target, WHEELS):
        for requirement in map(Requirement, wheel.requires):
            environments = [{**target.environment, "extra": extra} for extra in ("", *pin.requirement.extras)]
            if requirement.marker is None or any(map(requirement.marker.evaluate, environments)):
                yield requirement


def unmet(requirement, locked):
    """Tell whether an installer would have to look further than the locked files."""
    pin = locked.get(canonicalize_name(requirement.name))
    if pin is None or not requirement.specifier.contains(pin.version, prereleases=True):
        return True
    # pip before 23.3 takes the newest release for a name with extras that is not locked in these very words.
    return bool(requirement.extras) and requirement.extras != pin.requirement.extras


@pytest.mark.parametrize("target", [*TARGETS, *LAST_PATCHES], ids=lambda target: f"{target.python}-{target.machine}")
@pytest.mark.parametrize("file", FILES)
def test_every_requirement_of_every_locked_package_is_met_by_the_lock(file, target):
    pins = [pin for pin in FILES[file] if pin.counts(target)]
    locked = {pin.name: pin for pin in pins}
    assert len(locked) == len(pins) > 40
    assert [pin.name for pin in pins if not pin.wheels(target, WHEELS)] == [], "there is no wheel to install"
    assert [
        f"{pin.name} requires {requirement}"
        for pin in pins
        for requirement in required_by(pin, target)
        if unmet(requirement, locked)
    ] == []


@pytest.mark.parametrize(
    ("file", "sections"),
    [
        ("requirements.txt", [""]),
        ("requirements-run.txt", ["", "run"]),
        ("requirements-dev.txt", ["", "run", "granian", "dev"]),
    ],
)
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target.python}-{target.machine}")
def test_locked_files_hold_what_setup_cfg_asks_for(file, sections, target):
    locked = {pin.name: pin for pin in FILES[file] if pin.counts(target)}
    requirements = wanted(*sections)
    assert len(requirements) > 20
    assert [str(requirement) for requirement in requirements if unmet(requirement, locked)] == [], "make requirements"


def test_each_locked_file_holds_the_smaller_one():
    for smaller, larger in pairwise(FILES.values()):
        assert set(smaller) < set(larger)


def test_running_needs_none_of_the_test_tools():
    tools = {canonicalize_name(requirement.name) for requirement in wanted("dev")}
    assert {"pytest", "ruff", "mypy", "schemathesis"} < tools
    assert tools & {pin.name for pin in FILES["requirements-run.txt"]} == set()


def test_nothing_is_recorded_that_is_not_locked():
    hashes = {each for pin in FILES["requirements-dev.txt"] for each in pin.hashes}
    assert [wheel.file for wheel in WHEELS if wheel.sha256 not in hashes] == []
