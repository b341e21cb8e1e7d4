"""Find ports that nobody listens on."""

import secrets
import socket
from pathlib import Path

LOWEST, HIGHEST = 20_000, 31_999


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Tell whether a server could listen on the port."""
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((host, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Pick a port below those that the kernel gives to outgoing connections."""
    # A client that retries on one of those can end up connected to itself, and then the server that it waits
    # for cannot come back.
    while not port_is_free(port := LOWEST + secrets.randbelow(HIGHEST - LOWEST + 1)):
        pass
    return port


def remembered_port(file: Path) -> int:
    """Return the port noted in a file if it is still free, and otherwise note another one."""
    if file.exists() and (noted := file.read_text().strip()).isdigit() and port_is_free(int(noted)):
        return int(noted)
    port = free_port()
    file.write_text(f"{port}\n")
    return port
