"""Draw what was measured: for each route a group, in it for each server a bar."""

from collections.abc import Sequence
from itertools import groupby
from xml.sax.saxutils import escape

from scripts.bench.measure import Result

WIDTH, MARGIN = 860, 24
NAMES, BARS = 190, 420
BAR, GAP, HEADING = 18, 5, 30
# Told apart by people who do not see all colours, and on a light and a dark page.
COLOURS = ("#0072b2", "#8c8c8c", "#009e73", "#e69f00", "#cc79a7", "#56b4e9", "#d55e00")
STYLE = "text{font:13px system-ui,sans-serif;fill:#222}.route{font-weight:600}.page{fill:#fff}"


def chart(results: Sequence[Result]) -> str:
    """Return an SVG; the longest bar of each route is its fastest server."""
    colours = dict(zip(dict.fromkeys(result.server for result in results), COLOURS * len(results), strict=False))
    parts, top = [], MARGIN
    for route, group in groupby(results, key=lambda result: result.route):
        servers = list(group)
        fastest = max(result.median.requests_per_second for result in servers)
        parts.append(text(MARGIN, top + HEADING / 2, route, "route"))
        top += HEADING
        for result in servers:
            parts += bar(result, top, fastest, colours[result.server])
            top += BAR + GAP
        top += HEADING // 2
    parts.append(text(MARGIN, top + BAR / 2, "Requests per second; the bars of a route are to scale."))
    height = top + BAR + MARGIN
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        f' aria-label="Requests per second of each route and server">\n'
        f'<style>{STYLE}</style>\n<rect class="page" width="{WIDTH}" height="{height}"/>\n{body}\n</svg>\n'
    )


def bar(result: Result, top: int, fastest: float, colour: str) -> list[str]:
    """Return the name of a server, its bar, and what that stands for."""
    speed, middle = result.median.requests_per_second, top + BAR / 2
    length = BARS * speed / fastest
    amount = f"{speed:,.0f}" if speed >= 10 else f"{speed:.1f}"
    return [
        text(MARGIN, middle, result.server),
        f'<rect x="{NAMES}" y="{top}" width="{length:.1f}" height="{BAR}" fill="{colour}"/>',
        text(NAMES + length + 6, middle, f"{amount} req/s, p99 {result.median.p99_ms:,.0f} ms"),
    ]


def text(left: float, middle: float, content: str, kind: str = "") -> str:
    """Return a line of text, centred on a height."""
    attribute = f' class="{kind}"' if kind else ""
    return f'<text x="{left:g}" y="{middle:g}" dominant-baseline="central"{attribute}>{escape(content)}</text>'
