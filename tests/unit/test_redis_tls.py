"""A Redis that speaks TLS (`rediss://`), and a Sentinel that does (`rediss+sentinel://`)."""

import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from asf.adapters.redis_store.connection import connect
from tests.browser.prerequisites import missing
from tests.support.bounds import PATIENCE_SECONDS, STOP_SECONDS
from tests.support.ports import free_ports

pytestmark = pytest.mark.programs

OPTIONS = f"socket_timeout={PATIENCE_SECONDS}&socket_connect_timeout={PATIENCE_SECONDS}"

CERTIFICATE = (
    "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out certificate.pem -days 2 -subj /CN=localhost "
    "-addext subjectAltName=DNS:localhost,IP:127.0.0.1"
)


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """Return the URL of a Redis with a certificate of its own."""
    port = free_ports(1)[0]
    command = (
        f"redis-server --port 0 --tls-port {port} --tls-cert-file certificate.pem --tls-key-file key.pem "
        "--tls-ca-cert-file certificate.pem --tls-auth-clients no --bind 127.0.0.1"
    )
    try:
        subprocess.run(CERTIFICATE.split(), cwd=tmp_path, check=True, capture_output=True)
        process = subprocess.Popen([*command.split(), "--save", ""], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    except FileNotFoundError:
        missing("redis-server", "apt-get install redis-server openssl")
    assert process.stdout is not None
    assert any("Ready to accept" in line for line in process.stdout)
    yield f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={tmp_path}/certificate.pem&{OPTIONS}"
    process.terminate()
    process.communicate(timeout=STOP_SECONDS)


@pytest.fixture
def sentinel_url(tmp_path: Path, url: str) -> Iterator[str]:
    """Return the URL of a Sentinel with the same certificate, which names that Redis."""
    port, redis_port = free_ports(1)[0], urlsplit(url).port
    text = f"""
port 0
tls-port {port}
tls-cert-file {tmp_path}/certificate.pem
tls-key-file {tmp_path}/key.pem
tls-ca-cert-file {tmp_path}/certificate.pem
tls-auth-clients no
tls-replication yes
bind 127.0.0.1
dir {tmp_path}
sentinel monitor mymaster 127.0.0.1 {redis_port} 1
"""
    (tmp_path / "sentinel.conf").write_text(text)
    command = ["redis-server", str(tmp_path / "sentinel.conf"), "--sentinel"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert any("+monitor master mymaster" in line for line in process.stdout)
    yield f"rediss+sentinel://127.0.0.1:{port}/mymaster/0?ssl_ca_certs={tmp_path}/certificate.pem&{OPTIONS}"
    process.terminate()
    process.communicate(timeout=STOP_SECONDS)


def test_each_new_connection_can_be_used(url: str) -> None:
    """Session tickets, which the server sends on its own after the handshake, are not taken for data."""
    with closing(connect(url)) as client:
        for number in range(5):
            assert client.set("number", number)
            client.connection_pool.disconnect()
        assert client.get("number") == b"4"


def test_sentinels_speak_tls_as_well(sentinel_url: str) -> None:
    """With the same certificates, and connections that are used again and again."""
    with closing(connect(sentinel_url)) as client:
        for number in range(3):
            assert client.set("number", number)
            client.connection_pool.disconnect()
        assert client.get("number") == b"2"
