"""Refuse new passwords that this deployment does not accept."""

from scheduling.context import services
from scheduling.errors import invalid


def accept_password(password: str, pointer: str, *known: str) -> None:
    """Require what the settings ask of a new password; `known` is what an attacker knows of the owner.

    Raises ApiError 400.
    """
    fault = services().settings.password_rules.find_fault(password, *known)
    if fault is not None:
        raise invalid(pointer, fault)
