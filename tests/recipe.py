"""The recipe of CONTRIBUTING.md, carried out: its blocks become files and changes of a copy of the tree."""

import re
import shutil
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
_PATH = re.compile(r"`([\w.]+(?:/[\w.]+)+\.(?:py|sql)|CHANGELOG\.md)`:\s*\Z")


class Block(NamedTuple):
    """A piece of code, and the file that it belongs to: the last one named before it."""

    path: str
    kind: str
    code: str


def blocks(chapter: str) -> Iterator[Block]:
    """Yield the blocks of a chapter in order."""
    text = (ROOT / "CONTRIBUTING.md").read_text().partition(f"## {chapter}\n")[2].partition("\n## ")[0]
    path = ""
    for prose, kind, code in re.findall(r"(.*?)^ *```(\w+)\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE):
        path = (_PATH.findall(prose) or [path])[-1]
        yield Block(path, kind, textwrap.dedent(code))


def copy_tree(folder: Path) -> None:
    """Copy what git knows, as it is now, and what it does not ignore."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


def carry_out(block: Block, folder: Path) -> None:
    """Write a file, or change the one place that a diff shows; raise ValueError when it is not there exactly once."""
    path = folder / block.path.replace("NNNN", _next_number(folder))
    if block.kind != "diff":
        path.write_text(block.code)
        return
    lines = [line if line.strip() else f" {line}" for line in block.code.splitlines(keepends=True)]
    before, after = ("".join(line[1:] for line in lines if line[0] in signs) for signs in (" -", " +"))
    text = path.read_text()
    if text.count(before) != 1:
        raise ValueError(f"{block.path} does not have exactly once: {before}")
    path.write_text(text.replace(before, after))


def _next_number(folder: Path) -> str:
    return f"{max(int(path.name[:4]) for path in (folder / 'sql/migrations').glob('*.sql')) + 1:04}"
