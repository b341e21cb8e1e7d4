"""Find the addresses to which replies to a mail about a meeting go."""

from collections.abc import Mapping
from typing import Any

from jobs.addresses import to_ascii


def find_reply_to(data: Mapping[str, Any], recipient: str) -> str | None:
    """Return the addresses for Reply-To: a guest replies to all hosts, a host to the guest.

    An address beyond ASCII is left out where the recipient's is ASCII: some mail servers would refuse the mail for it.
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
