"""Write down what was measured: a table to read, and all figures to compare with later."""

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scripts.bench.measure import Result

ROOT = Path(__file__).resolve().parent.parent.parent
COLUMNS = (
    *("route", "req/s", "÷ bare Flask", "p50 ms", "p99 ms", "web µs"),
    *("PostgreSQL µs", "worker µs", "load µs", "others", "errors"),
)
EXPLANATION = """\
Medians over the rounds. µs: processor time per request of the web processes, of PostgreSQL (the worker's statements
included), of the worker and of the load generator. Others: share of the machine used by whatever else ran meanwhile;
above a few per cent only ratios within this table mean anything."""


@dataclass(frozen=True, slots=True)
class Report:
    """The results, and how they came about."""

    command: str
    load_generator: str
    arguments: dict[str, Any]
    results: Sequence[Result]

    def text(self) -> str:
        """Return the report as Markdown that also reads well on a terminal."""
        facts = self._facts()
        head = "\n".join(f"- {name}: {value}" for name, value in facts.items())
        return f"# make bench\n\n{head}\n\n{table(self.results)}\n\n{EXPLANATION}\n"

    def write(self, folder: Path) -> None:
        """Keep the report beside the data of the measurement."""
        (folder / "latest.md").write_text(self.text())
        results = [asdict(result) for result in self.results]
        content = {**self._facts(), "arguments": self.arguments, "results": results}
        (folder / "latest.json").write_text(json.dumps(content, indent=2) + "\n")

    def _facts(self) -> dict[str, str]:
        return {
            "command": self.command,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "revision": revision(),
            "load generator": self.load_generator,
            "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}",
            "Python": platform.python_version(),
        }


def table(results: Sequence[Result]) -> str:
    """Return a Markdown table with aligned columns."""
    rows = [COLUMNS, *map(row, results)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    ruler = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join("| " + " | ".join(align(cells, widths)) + " |" for cells in (rows[0], ruler, *rows[1:]))


def row(result: Result) -> tuple[str, ...]:
    """Return the cells of one route."""
    median = result.median
    return (
        result.name,
        f"{median.requests_per_second:.0f}",
        f"{result.ratio_to_bare_flask:.2f}",
        f"{median.p50_ms:.1f}",
        f"{median.p99_ms:.1f}",
        f"{median.web_us:.0f}",
        f"{median.postgres_us:.0f}",
        f"{median.worker_us:.0f}",
        f"{median.load_us:.0f}",
        f"{median.others:.0%}",
        f"{median.errors}",
    )


def align(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Return names to the left and numbers to the right."""
    first, *others = zip(cells, widths, strict=True)
    return [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]


def revision() -> str:
    """Return which state of the project this is."""
    command = ["git", "describe", "--always", "--dirty"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return result.stdout.strip() or "not committed"
