"""Turn text into a single line."""

import re

# Every control character and the two separators of Unicode: str.splitlines breaks at more than CR and LF.
BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def one_line(text: str) -> str:
    """Return a text with its line breaks and control characters collapsed to single spaces."""
    return BREAKS.sub(" ", text).strip()
