"""Tokens that manage a guest's booking: made of its uid and our secret, so that they can be told again but not guessed.

The database has their hash alone. A token counts by that hash, whichever secret made it.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode

from scheduling.context import services
from sql.queries import Row


def make_manage_token(uid: str) -> str:
    """Return the token of a new booking."""
    return _make(services().settings.jwt_secret, uid)


def tell_manage_token(booking: Row) -> str | None:
    """Return the token of a booking again; None when it was made with a secret that we no longer have."""
    settings = services().settings
    secrets = (settings.jwt_secret, settings.jwt_secret_previous)
    tokens = [_make(secret, booking["uid"]) for secret in secrets if secret]
    return next((token for token in tokens if is_managed_by(booking, token)), None)


def is_managed_by(booking: Row | None, token: str) -> bool:
    """Tell whether a token manages a booking."""
    known = bytes(booking["manage_token_hash"]) if booking else b""
    return hmac.compare_digest(known, hash_manage_token(token))


def hash_manage_token(token: str) -> bytes:
    """Return what the database keeps of a token."""
    return hashlib.sha256(token.encode()).digest()


def _make(secret: str, uid: str) -> str:
    digest = hmac.digest(secret.encode(), b"manage token of " + uid.encode(), "sha256")
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
