"""Which new passwords this deployment accepts."""

from scheduling.context import services
from scheduling.errors import invalid
from scheduling.passwords import is_easy_to_guess, normalise


def accept_password(password: str, pointer: str, *known: str) -> None:
    """Require PASSWORD_MIN_LENGTH characters and, with PASSWORD_REJECT_COMMON, some imagination.

    `known` is what an attacker knows of the owner. Raises ApiError 400.
    """
    settings = services().settings
    if len(normalise(password)) < settings.password_min_length:
        raise invalid(pointer, f"Password must be at least {settings.password_min_length} characters")
    if settings.password_reject_common and is_easy_to_guess(password, *known):
        raise invalid(pointer, "This password is easy to guess; choose another")
