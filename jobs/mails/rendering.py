"""Render the subject, the text and the HTML of a mail from its kind and data."""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from css_inline import CSSInliner
from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError, select_autoescape

from jobs.kinds import KINDS, TEMPLATES
from jobs.mails.lines import one_line
from jobs.mails.links import own_name, tame
from jobs.mails.times import period

TEXT_WIDTH = 72


@dataclass(frozen=True, slots=True)
class Rendered:
    """Hold the parts of a mail that people read."""

    subject: str
    text: str
    html: str


class RenderingError(ValueError):
    """Tell that a kind is unknown or that its data do not fit its templates; trying again does not help."""


def render(kind: str, data: Mapping[str, Any]) -> Rendered:
    """Return a mail of a kind; equal data become equal bytes.

    Raises RenderingError.
    """
    if kind not in KINDS:
        raise RenderingError("There is no such kind of mail.")
    # Strangers type titles and names.
    values = tame(data)
    try:
        if data.get("role") == "guest":
            values["name"] = own_name(data["name"])
        subject, text, html = (part.render(values) for part in PARTS[kind])
        html = INLINER.inline(html)
    except (TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise RenderingError(f"The data do not fit the templates of {kind}.") from error
    return Rendered(one_line(subject), _wrap(text), html)


def _wrap(text: str) -> str:
    lines = text.strip().splitlines()
    return "".join(f"{_fill(line)}\n" for line in lines)


def _fill(line: str) -> str:
    # Most lines are short, and textwrap takes as long as the templates do.
    if len(line) <= TEXT_WIDTH:
        return line.rstrip()
    return textwrap.fill(line, TEXT_WIDTH, break_long_words=False, break_on_hyphens=False)


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
    return environment


ENVIRONMENT = _environment()
# Compiled once, at import: a fault in a template stops the worker when it starts.
PARTS = {
    kind: [ENVIRONMENT.get_template(f"{kind.lower()}/{part}") for part in ("subject.txt", "text.txt", "html.html")]
    for kind in KINDS
}
# Media queries cannot be inlined; the dark colours live in one, so at-rules stay.
INLINER = CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)
