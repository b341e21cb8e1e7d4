"""Turn a kind of mail and its data into a subject, a text and an HTML page."""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from css_inline import CSSInliner
from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError, select_autoescape

from jobs.lines import one_line

TEMPLATES = Path(__file__).parent / "templates"
KINDS = frozenset(subject.parent.name.upper() for subject in TEMPLATES.glob("*/subject.txt"))
TEXT_WIDTH = 72


@dataclass(frozen=True, slots=True)
class Rendered:
    """Hold a mail as people will read it."""

    subject: str
    text: str
    html: str


class RenderingError(ValueError):
    """Tell that a kind is unknown or that its data do not fit its templates; no repetition helps."""


def render(kind: str, data: Mapping[str, Any]) -> Rendered:
    """Return a mail of a kind; equal data become equal bytes.

    Raises RenderingError.
    """
    if kind not in KINDS:
        raise RenderingError("There is no such kind of mail.")
    # Titles come from strangers: one that breaks a line could pass for a sentence of ours.
    values = {name: one_line(value) if isinstance(value, str) else value for name, value in data.items()}
    folder = kind.lower()
    try:
        subject, text, html = (
            ENVIRONMENT.get_template(f"{folder}/{part}").render(values)
            for part in ("subject.txt", "text.txt", "html.html")
        )
    except (TemplateError, ValueError, TypeError) as error:
        raise RenderingError(f"The data do not fit the templates of {kind}.") from error
    return Rendered(one_line(subject), _wrap(text), INLINER.inline(html))


def period(start: str, end: str) -> str:
    """Return two ISO 8601 times with offsets as one phrase in UTC.

    Raises ValueError for a time without an offset.
    """
    first, last = _moment(start), _moment(end)
    if first.date() == last.date():
        return f"{_day(first)}, {first:%H:%M}–{last:%H:%M} UTC"  # noqa: RUF001 - an en dash spans times
    return f"{_day(first)}, {first:%H:%M} – {_day(last)}, {last:%H:%M} UTC"  # noqa: RUF001


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("A time needs an offset.")
    return moment.astimezone(UTC)


def _day(moment: datetime) -> str:
    return f"{moment:%A}, {moment.day} {moment:%B %Y}"


def _wrap(text: str) -> str:
    lines = text.strip().splitlines()
    return "".join(
        textwrap.fill(line, TEXT_WIDTH, break_long_words=False, break_on_hyphens=False) + "\n" for line in lines
    )


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(enabled_extensions=("html",), default=False),
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["period"] = period
    # Compiled here, once: a fault in a template stops the worker at its start.
    for name in environment.list_templates():
        environment.get_template(name)
    return environment


ENVIRONMENT = _environment()
# Media queries cannot be inlined; the dark colours live in one, so at-rules stay.
INLINER = CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)
