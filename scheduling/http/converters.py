"""Convert ids in paths, and uids, which nobody can guess."""

import re

from werkzeug.routing import BaseConverter

from scheduling.schemas.ids import read_id

# What secrets.token_urlsafe(16) makes.
_UID = re.compile(r"[A-Za-z0-9_-]{22}")


class IdConverter(BaseConverter):
    """An id in a path; anything else becomes 0, which no row has, and is answered like an unknown id."""

    def to_python(self, value: str) -> int:
        """Return the id, or 0."""
        return read_id(value) or 0


class UidConverter(BaseConverter):
    """A uid in a path. What cannot be one is empty, which no row has: it is not there, like any unknown uid."""

    def to_python(self, value: str) -> str:
        """Return the uid, or nothing."""
        return value if _UID.fullmatch(value) else ""
