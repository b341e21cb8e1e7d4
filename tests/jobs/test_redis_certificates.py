"""An encrypted Redis proves who it is, unless the deployment says that it need not."""

import socket
import ssl
import threading
from functools import partial
from shutil import copyfileobj

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from jobs.connection import RedisAddress, connect_redis
from scripts.stack.servers import Valkey
from tests.jobs.servers import make_certificate, tcp_server


@pytest.fixture
def certificate(tmp_path):
    return make_certificate(tmp_path)


@pytest.fixture
def encrypted(tmp_path, certificate):
    """Offer the address of a Redis behind TLS, with a certificate that nobody else has signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with Valkey(tmp_path / "valkey") as valkey, tcp_server(partial(forward, context, valkey.port)) as port:
        yield f"rediss://:{valkey.password}@localhost:{port}/0"


def forward(context, port, connection):
    """Pass on what comes in either direction."""
    with (
        context.wrap_socket(connection, server_side=True) as client,
        socket.create_connection(("127.0.0.1", port)) as server,
    ):
        answers = threading.Thread(target=pump, args=(server, client), daemon=True)
        answers.start()
        pump(client, server)
        server.shutdown(socket.SHUT_RDWR)
        answers.join()


def pump(source, target):
    copyfileobj(source.makefile("rb", buffering=0), target.makefile("wb", buffering=0))


def answers(address):
    with connect_redis(address, timeout=5.0) as redis:
        return redis.ping()


def test_certificate_that_nobody_signed_is_refused(encrypted):
    with pytest.raises(RedisConnectionError, match="certificate verify failed"):
        answers(RedisAddress(encrypted))


def test_authority_of_the_setting_is_trusted(encrypted, certificate):
    assert answers(RedisAddress(encrypted, ca_cert=str(certificate[0])))


def test_name_has_to_fit_the_certificate(encrypted, certificate):
    with pytest.raises(RedisConnectionError, match="certificate verify failed"):
        answers(RedisAddress(encrypted.replace("localhost", "127.0.0.1"), ca_cert=str(certificate[0])))


def test_platform_that_signs_its_own_is_encrypted_and_not_verified(encrypted):
    assert answers(RedisAddress(encrypted, verifies=False))
