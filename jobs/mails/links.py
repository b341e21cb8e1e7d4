"""Keep what strangers write from being a link, or from being made one by a mail program."""

import re
from collections.abc import Mapping
from typing import Any

from jobs.mails.lines import one_line

# What IDNA reads as a dot (RFC 3490, section 3.1), and what looks or normalises like one; likewise the others.
_DOTS, _COLONS, _ATS, _SLASHES = ".\u3002\uff0e\uff61\u2024\ufe52", ":\uff1a\ufe55", "@\uff20\ufe6b", r"/\\\uff0f\uff3c"
# Behind these a sentence or a word in brackets ends; no address goes on.
_CLOSING = r"""\s)\]}>"'\u00bb\u201d\u2019.,;!?\u2026"""
_UNSEEN = r"\u00ad\u200b-\u200f\u2060-\u206f\ufeff"
_JOINTS = re.compile(
    # 10:30, 3.5 and 31.12.2030 stay as they are.
    rf"(?<!\d)[{_DOTS}{_COLONS}](?=[^{_CLOSING}])|[{_DOTS}{_COLONS}](?=[^{_CLOSING}\d])"
    rf"|(?<=\S)[{_ATS}](?=\S)|[{_SLASHES}](?=[{_UNSEEN}]*[{_SLASHES}])"
)
_FOUR_NUMBERS = re.compile(r"\d+(?:\.\d+){3,}")
# What turns the order of letters round, and lets moc.live be read as a name.
_TURNING = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
# What we write ourselves, and addresses, which stand alone; everything else may be a stranger's.
_OURS = frozenset({"uid", "start_time", "end_time", "time_zone", "email", "manage_token"})
_LONGEST_GREETED = 40


def without_links(text: str) -> str:
    """Return a text with a blank in each joint of what could be an address: `http: / /evil. example`.

    Blanks are what every program ends an address at. Invisible characters would be copied along with it, and some
    programs look through them.
    """
    text = _FOUR_NUMBERS.sub(lambda numbers: numbers[0].replace(".", ". "), text.translate(_TURNING))
    return _JOINTS.sub(r"\g<0> ", text)


def tame(value: Any, name: str = "") -> Any:
    """Return the data of a mail as its reader may see them: each text is one line and holds no link."""
    match value:
        case str():
            return one_line(value if name in _OURS else without_links(value))
        case Mapping():
            return {key: tame(part, key) for key, part in value.items()}
        case list():
            return [tame(part, name) for part in value]
        case _:
            return value


def own_name(name: str) -> str:
    """Return a name by which its bearer can be greeted, or nothing: whoever typed it may not be whom it is sent to."""
    line = one_line(name)
    return line if len(line) <= _LONGEST_GREETED and without_links(line) == line else ""
