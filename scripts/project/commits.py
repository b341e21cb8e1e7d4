"""Check that each new commit stands by itself: every module can be imported, and ruff and import-linter find nothing.

Whoever looks for the commit that broke something (`git bisect`) needs every one of them to start.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
PACKAGES = ("scheduling", "jobs", "sql")

# Settings that an import may ask for; nothing is connected to.
SETTINGS = {
    "DATABASE_URL": "postgresql://localhost/none",
    "JWT_SECRET": "for-imports-only-" * 3,
    "APP_ENV": "development",
}

IMPORT_ALL = f"""
import importlib, pathlib
for package in {PACKAGES}:
    for path in sorted(pathlib.Path(package).rglob("*.py")):
        importlib.import_module(".".join(path.with_suffix("").parts).removesuffix(".__init__"))
"""
CHECKS = (
    [sys.executable, "-c", IMPORT_ALL],
    [f"{BIN}/ruff", "check", "--quiet"],
    [f"{BIN}/ruff", "format", "--check"],
    [f"{BIN}/lint-imports"],
)


def main() -> None:
    """Check each commit that is asked for, the oldest first, and name those that fail."""
    commits = read_commits()
    failed = [commit for commit in commits if not stands_by_itself(commit)]
    if failed:
        sys.exit("These commits do not stand by themselves:\n" + "\n".join(map(describe, failed)))
    print(f"{len(commits)} commits checked: each stands by itself.")


def read_commits() -> list[str]:
    """Return the commits that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--since", help="those after a commit; unless told, after what origin/main has")
    group.add_argument("--last", type=int, help="so many, or as many as the clone has")
    arguments = parser.parse_args()
    if arguments.last:
        return git("rev-list", "--reverse", f"--max-count={arguments.last}", "HEAD").split()
    return git("rev-list", "--reverse", f"{arguments.since or 'origin/main'}..HEAD").split()


def stands_by_itself(commit: str) -> bool:
    """Check one commit out into a temporary folder, run every check there, and show what fails."""
    with tempfile.TemporaryDirectory(prefix="commit-") as folder:
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
        subprocess.run(["tar", "-x"], cwd=folder, input=archive, check=True)
        environment = {**os.environ, **SETTINGS, "PYTHONPATH": folder}
        for check in CHECKS:
            result = subprocess.run(
                check, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
            )
            if result.returncode:
                print(f"{describe(commit)}\n{result.stdout.decode()}", flush=True)
                return False
    return True


def describe(commit: str) -> str:
    """Return a commit's short name and subject."""
    return git("log", "--max-count=1", "--format=%h %s", commit)


def git(*arguments: str) -> str:
    """Ask git about this repository."""
    result = subprocess.run(["git", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if result.returncode:
        sys.exit("git could not tell: name a commit that it knows, as in make commits SINCE=main~3.")
    return result.stdout.strip()


if __name__ == "__main__":
    main()
