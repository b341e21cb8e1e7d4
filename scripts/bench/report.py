"""Write down what was measured: a table to read, and all figures to compare with later."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scripts.bench.chart import chart
from scripts.bench.measure import Result
from scripts.bench.system import LIMITS
from scripts.stack.procfile import ROOT

FIGURES = ("p50 ms", "p99 ms", "web µs", "PostgreSQL µs", "worker µs", "load µs", "others", "errors")
EXPLANATION = """\
Medians over the rounds. ÷: requests per second as a ratio to those of another server on the same route. µs: processor
time per request of the web processes, of PostgreSQL (the worker's statements included), of the worker and of the load
generator. Others: share of the machine used by whatever else ran meanwhile. Above a few per cent requests per second
mean little, and less for a server with one process than for one with two; processor time goes on meaning something."""


@dataclass(frozen=True, slots=True)
class Section:
    """What was measured beside the routes: a text, all figures, and whether it was bad."""

    name: str
    text: str
    figures: Any
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """The results, and how they came about."""

    command: str
    load_generator: str
    arguments: dict[str, Any]
    baselines: Sequence[str]
    results: Sequence[Result]
    facts: Mapping[str, str] = field(default_factory=dict)
    sections: Sequence[Section] = ()

    @property
    def failed(self) -> bool:
        """Tell whether anything went wrong that should not."""
        return any(result.median.errors for result in self.results) or any(one.failed for one in self.sections)

    def text(self) -> str:
        """Return the report as Markdown that also reads well on a terminal."""
        head = "\n".join(f"- {name}: {value}" for name, value in self._facts().items())
        routes = [table(self.results, self.baselines), EXPLANATION] if self.results else []
        return "\n\n".join(["# make bench", head, *routes, *(section.text for section in self.sections)]) + "\n"

    def chart(self) -> str:
        """Return a picture of the routes."""
        return chart([result for result in self.results if result.server not in LIMITS])

    def write(self, folder: Path) -> None:
        """Keep the report beside the data of the measurement."""
        name = "latest" if self.results else "latest-soak"
        (folder / f"{name}.md").write_text(self.text())
        if self.results:
            (folder / f"{name}.svg").write_text(self.chart())
        results = [asdict(result) for result in self.results]
        more = {section.name: section.figures for section in self.sections}
        content = {**self._facts(), "arguments": self.arguments, "results": results, **more}
        (folder / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")

    def _facts(self) -> dict[str, str]:
        return {
            "command": self.command,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "revision": revision(),
            "load generator": self.load_generator,
            "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}",
            "Python": platform.python_version(),
            **self.facts,
        }


def table(results: Sequence[Result], baselines: Sequence[str]) -> str:
    """Return a Markdown table with aligned columns."""
    head = ("route", "server", "req/s", *(f"÷ {name}" for name in baselines), *FIGURES)
    return grid([head, *(row(result, baselines) for result in results)], names=2)


def grid(rows: Sequence[Sequence[str]], *, names: int) -> str:
    """Return a Markdown table whose first row is its head and whose first columns are names; numbers stand right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    ruler = ["-" * (width - (number >= names)) + ":" * (number >= names) for number, width in enumerate(widths)]

    def line(cells: Sequence[str]) -> str:
        sides = "<" * names + ">" * (len(widths) - names)
        return " | ".join(f"{cell:{side}{width}}" for cell, side, width in zip(cells, sides, widths, strict=True))

    return "\n".join(f"| {line(cells)} |" for cells in (rows[0], ruler, *rows[1:]))


def row(result: Result, baselines: Sequence[str]) -> tuple[str, ...]:
    """Return the cells of one route of one server."""
    median = result.median
    speed = median.requests_per_second
    times = (median.web_us, median.postgres_us, median.worker_us, median.load_us)
    return (
        *(result.route, result.server, f"{speed:.0f}" if speed >= 10 else f"{speed:.1f}"),
        *(f"{result.ratios[name]:.2f}" if name in result.ratios else "" for name in baselines),
        *(f"{median.p50_ms:.1f}", f"{median.p99_ms:.1f}", *(f"{time:.0f}" for time in times)),
        *(f"{median.others:.0%}", f"{median.errors}"),
    )


def revision() -> str:
    """Return which state of the project this is."""
    command = ["git", "describe", "--always", "--dirty"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return result.stdout.strip() or "not committed"
