"""Read the Procfile, which says how a platform runs the project."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def read_procfile(root: Path = ROOT) -> dict[str, str]:
    """Return the commands of the Procfile of this revision or of another one, by name."""
    lines = (line.partition(":") for line in (root / "Procfile").read_text().splitlines())
    return {name: command.strip() for name, _, command in lines if command}
