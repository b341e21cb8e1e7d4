"""Say to whom the reader of a mail about a meeting writes back."""

from collections.abc import Mapping
from typing import Any

from jobs.addresses import to_ascii


def find_reply_to(data: Mapping[str, Any], recipient: str) -> str | None:
    """Return to whom the reader of a mail about a meeting writes back: guests to all hosts, hosts to the guest.

    An address that only some mail servers take would be in the way of a mail that all of them take.
    """
    match data.get("role"):
        case "guest":
            people = data["hosts"]
        case "host":
            people = [data["guest"]]
        case _:
            return None
    addresses = dict.fromkeys(to_ascii(person["email"]) for person in people)
    chosen = (one for one in addresses if one != recipient and (one.isascii() or not recipient.isascii()))
    return " ".join(chosen) or None
