"""The classes of mail, in the order in which they go; the trigger `class_email` gives a row its class."""

from collections.abc import Mapping
from types import MappingProxyType

CLASSES: Mapping[int, str] = MappingProxyType(
    {
        # What somebody waits for who signs up or fears for an account.
        1: "account",
        2: "booking",
        3: "other",
        # What one sender has put into the line beyond a few.
        4: "bulk",
    }
)
