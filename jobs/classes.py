"""The classes of mail, in the order in which they are offered; the trigger `class_email` gives a row its class."""

from collections.abc import Mapping
from types import MappingProxyType

CLASSES: Mapping[int, str] = MappingProxyType(
    {
        # People wait for these while they sign up or change their account.
        1: "account",
        2: "booking",
        3: "other",
        # More than a few mails of one sender that wait at the same time.
        4: "bulk",
    }
)
