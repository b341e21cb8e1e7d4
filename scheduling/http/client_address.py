"""Tell clients apart by their addresses."""

import ipaddress

from flask import request


def client_address() -> str:
    """Return the IPv4 address of the client, or the /64 network of its IPv6 address.

    A proxy may forward something else ("unknown", RFC 7239); all such clients count as one.
    """
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return "unknown"
    if address.version == 4:
        return str(address)
    mapped = ipaddress.IPv6Address(address).ipv4_mapped
    return str(mapped or ipaddress.ip_network((address, 64), strict=False).network_address)
