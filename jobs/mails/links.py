"""Break up links in what people type, so that no mail program shows one."""

import re
from collections.abc import Mapping
from typing import Any

from jobs.mails.lines import one_line

# What IDNA reads as a dot (RFC 3490, section 3.1), looks like one or normalises to one; likewise the others.
_DOTS, _COLONS, _ATS, _SLASHES = ".\u3002\uff0e\uff61\u2024\ufe52", ":\uff1a\ufe55", "@\uff20\ufe6b", r"/\\\uff0f\uff3c"
# An address does not go on after a dot or colon that one of these follows.
_CLOSING = r"""\s)\]}>"'\u00bb\u201d\u2019.,;!?\u2026"""
_UNSEEN = r"\u00ad\u200b-\u200f\u2060-\u206f\ufeff"
_JOINTS = re.compile(
    # 10:30, 3.5 and 31.12.2030 stay as they are.
    rf"(?<!\d)[{_DOTS}{_COLONS}](?=[^{_CLOSING}])|[{_DOTS}{_COLONS}](?=[^{_CLOSING}\d])"
    rf"|(?<=\S)[{_ATS}](?=\S)|[{_SLASHES}](?=[{_UNSEEN}]*[{_SLASHES}])"
)
_FOUR_NUMBERS = re.compile(r"\d+(?:\.\d+){3,}")
# These reverse the order of letters, so that moc.live could be read as a name.
_TURNING = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
# Written by us, or an address that stands alone; a stranger may have typed everything else.
_OURS = frozenset({"uid", "start_time", "end_time", "time_zone", "email", "manage_token"})
_LONGEST_GREETED = 40


def without_links(text: str) -> str:
    """Return a text with a blank in each joint of what could be an address: `http: / /evil. example`.

    Every program ends an address at a blank. Invisible characters would be copied along with it, and some programs
    ignore them.
    """
    text = _FOUR_NUMBERS.sub(lambda numbers: numbers[0].replace(".", ". "), text.translate(_TURNING))
    return _JOINTS.sub(r"\g<0> ", text)


def tame(value: Any, name: str = "") -> Any:
    """Return the data of a mail with each text as one line without links."""
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
    """Return a name to greet a guest with, or nothing for one that is long or a link: a stranger may have typed it."""
    line = one_line(name)
    return line if len(line) <= _LONGEST_GREETED and without_links(line) == line else ""
