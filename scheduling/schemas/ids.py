"""Say what an id can be: PostgreSQL counts from 1 to the largest bigint."""

import re

LARGEST_ID = 2**63 - 1

_DIGITS = re.compile(r"[1-9][0-9]{0,18}")


def read_id(text: str) -> int | None:
    """Return the id that a text is; None when it is none."""
    return int(text) if _DIGITS.fullmatch(text) and int(text) <= LARGEST_ID else None
