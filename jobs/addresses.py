"""Write addresses as every mail server takes them, and say to whom a reader writes back."""

from collections.abc import Mapping
from email.utils import parseaddr
from typing import Any

import idna


def to_ascii(address: str) -> str:
    """Return an address with its domain in A-labels (IDNA 2008); only its local part may go beyond ASCII.

    Raises ValueError for a domain that is none.
    """
    local, at, domain = address.rpartition("@")
    # What is ASCII is left alone: mail servers know names that IDNA does not allow.
    return address if domain.isascii() else f"{local}{at}{idna.encode(domain, uts46=True).decode()}"


def mailbox_to_ascii(mailbox: str) -> str:
    """Return a mailbox that may bear a name, such as `Acme <mail@bücher.example>`, with its domain in A-labels.

    Raises ValueError for a domain that is none.
    """
    address = parseaddr(mailbox)[1]
    return mailbox.replace(address, to_ascii(address)) if address else mailbox


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
