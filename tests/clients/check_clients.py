"""What foreign tools make of the OpenAPI document: `make clients` installs them and runs this against a running API."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.stack import running

HERE = Path(__file__).resolve().parent
GENERATED = HERE / "generated"
DOCUMENT = GENERATED / "openapi.json"
PYTHON = HERE / ".venv" / "bin"
NODE = HERE / "node_modules" / ".bin"


def run(*command, **settings):
    """Run a command here, without a word to anybody about it, and return what it says; fail when it fails."""
    environment = os.environ | {
        "PATH": f"{PYTHON}{os.pathsep}{os.environ['PATH']}",
        "REDOCLY_TELEMETRY": "off",
        "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true",
        **{name: str(value) for name, value in settings.items()},
    }
    done = subprocess.run(
        [str(part) for part in command], cwd=HERE, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def api(tmp_path_factory, database_url, redis_url):
    """Run the API, and keep its document where the tools look for it."""
    with running(
        tmp_path_factory.mktemp("clients"), database_url=database_url, redis_url=redis_url, names=("web",)
    ) as stack:
        GENERATED.mkdir(exist_ok=True)
        DOCUMENT.write_bytes(stack.client.get("//openapi.json").data)
        yield stack


def test_spectral_finds_nothing(api):
    found = run(NODE / "spectral", "lint", "--fail-severity", "hint", "--format", "json", "--quiet", DOCUMENT)
    assert json.loads(found) == []


def test_redocly_finds_nothing(api):
    said = run(NODE / "redocly", "lint", "--format", "json", DOCUMENT)
    # It says more around its report.
    totals = json.loads(said[said.index("{\n") : said.rindex("\n}") + 2])["totals"]
    assert (totals["errors"], totals["warnings"]) == (0, 0), totals


def test_typescript_client_compiles_strictly_and_works(api):
    said = run(NODE / "openapi-typescript", DOCUMENT, "--output", GENERATED / "api.ts")
    assert "warn" not in said.lower(), said
    run(NODE / "tsc")
    assert "Booking created successfully" in run("node", GENERATED / "compiled" / "example.js", api.url)


def test_python_client_compiles_strictly_and_works(api):
    target = GENERATED / "scheduling_api"
    generate = ("generate", "--path", DOCUMENT, "--meta", "none", "--output-path", target, "--overwrite")
    said = run(PYTHON / "openapi-python-client", *generate, "--fail-on-warning")
    assert "warning" not in said.lower(), said
    run(PYTHON / "mypy", "--strict", "-p", "scheduling_api", "-m", "example")
    assert "Booking created successfully" in run(PYTHON / "python", "example.py", api.url, PYTHONPATH=GENERATED)
