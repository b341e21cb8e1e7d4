"""Tests of what the proof of a clean start hides and finds."""

import os
import shutil
import subprocess

import psutil

from scripts.project.clean_start import bare_environment, inside


def test_uv_and_caches_are_hidden_and_other_programs_are_not(monkeypatch, tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("uv", "other"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.defpath}")
    monkeypatch.setenv("DATABASE_URL", "postgresql://localhost/mine")
    folder = tmp_path / "hidden"
    folder.mkdir()
    environment = bare_environment(folder)
    found = {name: shutil.which(name, path=environment["PATH"]) is not None for name in ("uv", "other", "sh")}
    assert found == {"uv": False, "other": True, "sh": True}
    assert environment["PIP_NO_CACHE_DIR"] == "1"
    assert "DATABASE_URL" not in environment


def test_process_that_works_in_the_clone_is_found(tmp_path):
    with subprocess.Popen(["/bin/sleep", "60"], cwd=tmp_path) as process:
        assert inside(tmp_path) == [psutil.Process(process.pid)]
        process.kill()
        process.wait()
        assert inside(tmp_path) == []
