"""Draw the rooms of the code and who imports whom: `python -m scripts.project.rooms` writes docs/rooms.svg."""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from xml.sax.saxutils import escape

import grimp

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs" / "rooms.svg"
PACKAGES = ("scheduling", "jobs", "sql")
COLUMNS = (("scheduling",), ("jobs", "sql"))

# A row has a slot for each room, and for each arrow that passes it.
Arrow = tuple[str, str]
Slot = str | tuple[Arrow, int]
Point = tuple[float, float]

BOX, HEIGHT, GAP, ROW, MARGIN = 132, 36, 22, 74, 24
LEGEND = "An arrow says what a room imports; one that follows from others is left out."
HEAD = (
    '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0 8 4 0 8z"/></marker>'
)
STYLE = """\
text{font:600 14px system-ui,sans-serif;fill:#1f2328;text-anchor:middle}
.small{font-weight:400;font-size:11px;fill:#57606a}
.page{fill:#fff}.arrow{fill:none;stroke:#6e7781;stroke-width:1.6;marker-end:url(#head)}#head path{fill:#6e7781}
.scheduling{fill:#ddf4ff;stroke:#0969da}.jobs{fill:#dafbe1;stroke:#1a7f37}.sql{fill:#fff1e5;stroke:#bc4c00}
@media(prefers-color-scheme:dark){
text{fill:#e6edf3}.small{fill:#9198a1}.page{fill:#0d1117}.arrow{stroke:#8b949e}#head path{fill:#8b949e}
.scheduling{fill:#0c2d6b}.jobs{fill:#033a16}.sql{fill:#5a1e02}
}"""


@dataclass(frozen=True, slots=True)
class Rooms:
    """For each room: what it imports, what it reaches through that, and how many rooms stand below it in a pile."""

    imports: Mapping[str, frozenset[str]]
    reach: Mapping[str, frozenset[str]]
    level: Mapping[str, int]

    def follows(self, room: str, other: str) -> bool:
        """Tell whether an arrow follows from others."""
        return any(other in self.reach[between] for between in self.imports[room])


def arrange(imports: Mapping[str, Iterable[str]]) -> Rooms:
    """Work out what stands above what; refuse a circle."""
    try:
        order = list(TopologicalSorter(imports).static_order())
    except CycleError as error:
        circle = " → ".join(reversed(error.args[1]))
        sys.exit(f"rooms: a circle of imports: {circle}; move what both need below them.")
    reach: dict[str, frozenset[str]] = {}
    level: dict[str, int] = {}
    for room in order:
        reach[room] = frozenset(imports[room]).union(*(reach[other] for other in imports[room]))
        level[room] = max((level[other] + 1 for other in imports[room]), default=0)
    return Rooms({room: frozenset(others) for room, others in imports.items()}, reach, level)


def read_rooms() -> Rooms:
    """Read the imports of the code, and gather modules into rooms."""
    sys.path.insert(0, str(ROOT))
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    rooms = {module: room_of(module, graph) for module in graph.modules if not is_package(module, graph)}
    imports: dict[str, set[str]] = {room: set() for room in rooms.values()}
    for module, room in rooms.items():
        imports[room] |= {rooms[other] for other in graph.find_modules_directly_imported_by(module)} - {room}
    return arrange(imports)


def is_package(module: str, graph: grimp.ImportGraph) -> bool:
    """Tell whether a module is an `__init__.py`, which holds a docstring at most."""
    return bool(graph.find_children(module))


def room_of(module: str, graph: grimp.ImportGraph) -> str:
    """Return the folder of a module; a module of scheduling's root is a room by itself."""
    package, *names = module.split(".")
    if package == "sql":
        return package
    if package == "scheduling" or len(names) > 1:
        return f"{package}.{names[0]}"
    # The modules in the root of jobs are of two kinds: what the API may import, and what starts the worker.
    above = any(other.count(".") > 1 for other in graph.find_upstream_modules(module) if other.startswith("jobs."))
    return "jobs.worker" if above else "jobs"


def place(rooms: Rooms, arrows: Sequence[Arrow]) -> dict[Slot, Point]:
    """Return the top left corner of each box, and of the gap in each row that a longer arrow passes through.

    Scheduling stands to the left, jobs and sql to the right.
    """
    places: dict[Slot, Point] = {}
    left = float(MARGIN)
    highest = max(rooms.level.values())
    for packages in COLUMNS:
        rows = slots(rooms, arrows, packages)
        width = max(map(width_of, rows.values()), default=0.0)
        for level, row in sorted(rows.items()):
            # Above what it imports, so that arrows cross less.
            row.sort(key=lambda slot: (centre(rooms, slot, places), str(slot)))
            x = left + (width - width_of(row)) / 2
            for slot in row:
                places[slot] = x, MARGIN + (highest - level) * ROW
                x += width_of([slot]) + GAP
        left += width + 2 * GAP
    return places


def slots(rooms: Rooms, arrows: Sequence[Arrow], packages: Sequence[str]) -> dict[int, list[Slot]]:
    """Return the rows of a column: its rooms, and the arrows that pass."""
    rows: dict[int, list[Slot]] = defaultdict(list)
    own = [room for room in sorted(rooms.imports) if room.partition(".")[0] in packages]
    for room in own:
        rows[rooms.level[room]].append(room)
    for start, end in arrows:
        if start in own and end in own:
            for level in range(rooms.level[end] + 1, rooms.level[start]):
                rows[level].append(((start, end), level))
    return rows


def width_of(row: Sequence[Slot]) -> float:
    """Return how wide a row is."""
    return sum(BOX if isinstance(slot, str) else 0 for slot in row) + GAP * (len(row) - 1)


def centre(rooms: Rooms, slot: Slot, places: Mapping[Slot, Point]) -> float:
    """Return the middle of what stands below."""
    below = rooms.imports[slot] if isinstance(slot, str) else {slot[0][1]}
    known = [places[room][0] for room in below if room in places]
    return sum(known) / len(known) if known else 0.0


def draw(rooms: Rooms) -> str:
    """Return the picture as SVG."""
    every = [(room, other) for room in sorted(rooms.imports) for other in sorted(rooms.imports[room])]
    arrows = [(room, other) for room, other in every if not rooms.follows(room, other)]
    places = place(rooms, arrows)
    width = max(x for x, _ in places.values()) + BOX + MARGIN
    height = max(y for _, y in places.values()) + HEIGHT + 2 * MARGIN
    words = f"{len(rooms.imports)} rooms, {len(every)} arrows. {LEGEND}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{words}">',
        f"<style>{STYLE}</style>",
        f"<defs>{HEAD}</defs>",
        f'<rect class="page" width="{width:g}" height="{height:g}"/>',
        *(curve(arrow, places) for arrow in arrows),
        *(box(room, *places[room]) for room in sorted(rooms.imports)),
        text(width / 2, height - MARGIN / 2, words, "small"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def curve(arrow: Arrow, places: Mapping[Slot, Point]) -> str:
    """Return a curve from the foot of one box to the head of another, through the gaps that are kept for it."""
    start, end = arrow
    x, y = places[start][0] + BOX / 2, places[start][1] + HEIGHT
    path = f"M{x:g} {y:g}"
    gaps = [place for slot, place in places.items() if not isinstance(slot, str) and slot[0] == arrow]
    for gap_x, gap_y in sorted(gaps, key=lambda place: place[1]):
        path += bend(x, y, gap_x, gap_y) + f"V{gap_y + HEIGHT:g}"
        x, y = gap_x, gap_y + HEIGHT
    return f'<path class="arrow" d="{path}{bend(x, y, places[end][0] + BOX / 2, places[end][1] - 2)}"/>'


def bend(x: float, y: float, to_x: float, to_y: float) -> str:
    """Return one bend of a curve, which leaves and arrives upright."""
    middle = (y + to_y) / 2
    return f"C{x:g} {middle:g} {to_x:g} {middle:g} {to_x:g} {to_y:g}"


def box(room: str, x: float, y: float) -> str:
    """Return the box of a room with its name."""
    package = room.partition(".")[0]
    name = text(x + BOX / 2, y + HEIGHT / 2 + 5, room.removeprefix("scheduling."))
    return f'<rect class="{package}" x="{x:g}" y="{y:g}" width="{BOX}" height="{HEIGHT}" rx="7"/>{name}'


def text(x: float, y: float, words: str, kind: str = "") -> str:
    """Return a line of text, centred."""
    attribute = f' class="{kind}"' if kind else ""
    return f'<text{attribute} x="{x:g}" y="{y:g}">{escape(words)}</text>'


def main() -> None:
    """Write the picture, or say that the one that is there is not current."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the picture is not current")
    arguments = parser.parse_args()
    picture = draw(read_rooms())
    if not arguments.check:
        PICTURE.write_text(picture)
    elif not PICTURE.exists() or PICTURE.read_text() != picture:
        sys.exit("docs/rooms.svg shows other imports than the code has: run python -m scripts.project.rooms")


if __name__ == "__main__":
    main()
