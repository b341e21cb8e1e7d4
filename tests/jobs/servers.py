"""Servers that fail at the level of sockets, and a certificate that no authority has signed."""

import contextlib
import socket
import struct
import subprocess
import threading
from contextlib import contextmanager


@contextmanager
def tcp_server(talk):
    """Yield the port of a server that talks to each connection in a thread of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=converse, args=(connection,), daemon=True).start()

        def converse(connection):
            with connection, contextlib.suppress(OSError):
                talk(connection)

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@contextmanager
def full_server():
    """Yield the port of a server whose backlog is full, so that connecting never ends."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, contextlib.ExitStack() as clients:
        for _ in range(3):
            client = clients.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def read_request(connection):
    """Read an HTTP request with a body to its end and return its bytes."""
    stream = connection.makefile("rb")
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += stream.readline()
    length = next(int(line.split(b":")[1]) for line in head.splitlines() if line.lower().startswith(b"content-length:"))
    return head + stream.read(length)


def trickle(connection, content, released):
    """Send a content byte by byte, one every twentieth of a second, until released."""
    for byte in content:
        connection.sendall(bytes([byte]))
        if released.wait(0.05):
            return


def reset(connection):
    """Reset a connection rather than close it."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def make_certificate(folder):
    """Return the paths of a certificate for localhost that signs itself, and of its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-out", certificate, "-keyout", key],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return certificate, key
