"""Write the domain of an address in ASCII, which every mail server takes."""

from email.utils import parseaddr

import idna


def to_ascii(address: str) -> str:
    """Return an address with its domain in A-labels (IDNA 2008); only its local part may go beyond ASCII.

    Raises ValueError for a domain that is none.
    """
    local, at, domain = address.rpartition("@")
    # ASCII domains stay as they are: mail servers accept names that IDNA does not allow.
    return address if domain.isascii() else f"{local}{at}{idna.encode(domain, uts46=True).decode()}"


def mailbox_to_ascii(mailbox: str) -> str:
    """Return a mailbox that may bear a name, such as `Acme <mail@bücher.example>`, with its domain in A-labels.

    Raises ValueError for a domain that is none.
    """
    address = parseaddr(mailbox)[1]
    return mailbox.replace(address, to_ascii(address)) if address else mailbox
