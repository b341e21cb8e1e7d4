"""Convert the uids in paths, which nobody can guess."""

import re

from werkzeug.routing import BaseConverter

# What secrets.token_urlsafe(16) makes.
_UID = re.compile(r"[A-Za-z0-9_-]{22}")


class UidConverter(BaseConverter):
    """A uid in a path. What cannot be one is empty, which no row has: it is not there, like any unknown uid."""

    def to_python(self, value: str) -> str:
        """Return the uid, or nothing."""
        return value if _UID.fullmatch(value) else ""
