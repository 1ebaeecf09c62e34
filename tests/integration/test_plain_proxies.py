"""Proxies with their defaults in front of a server: audio arrives whole, and what has failed does not look whole."""

import socket
from collections.abc import Iterator

import pytest
import requests
from urllib3.exceptions import HTTPError

from tests.support.bounds import PATIENCE_SECONDS
from tests.support.fixtures import audio_of
from tests.support.plain_proxies import PROGRAMS, PlainProxy
from tests.support.processes import ServerProcess

COMPLETE_BYTES = 3_000_000
PART_BYTES = 100_000
PARTS = 5


@pytest.fixture(scope="module", params=["no proxy", *PROGRAMS])
def url(
    request: pytest.FixtureRequest, server: ServerProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Return where listeners come in."""
    if request.param == "no proxy":
        yield server.url
        return
    proxy = PlainProxy(request.param, tmp_path_factory.mktemp("proxy") / request.param, server.port)
    yield proxy.url
    proxy.stop()


class Growing:
    """Audio that grows a part at a time, and a client that has asked for it."""

    def __init__(self, server: ServerProcess, url: str, stream_id: str) -> None:
        self.server = server
        self.stream_id = stream_id
        self.audio = audio_of(PARTS * PART_BYTES)
        self.path = server.audio_root / f"{stream_id}.mp3"
        self.path.write_bytes(self.audio[:PART_BYTES])
        self.notify("generating")
        address = f"{url}/api/v1/podcasts/stream/{stream_id}"
        self.response = requests.get(address, stream=True, timeout=PATIENCE_SECONDS)
        self.response.raise_for_status()
        self.heard = bytearray()

    def notify(self, state: str) -> None:
        """Say what has become of it."""
        self.server.notify(self.stream_id, str(self.path), state=state).raise_for_status()

    def read_part(self) -> None:
        """Receive what has been written so far."""
        length = len(self.heard) // PART_BYTES * PART_BYTES + PART_BYTES
        while len(self.heard) < length:
            part = self.response.raw.read1(length - len(self.heard))
            assert part
            self.heard += part

    def write_part(self) -> None:
        """Let it grow."""
        with self.path.open("ab") as file:
            written = file.tell()
            file.write(self.audio[written : written + PART_BYTES])


def test_complete_audio_arrives_whole(server: ServerProcess, url: str) -> None:
    """With its length; and a range of it."""
    audio = audio_of(COMPLETE_BYTES)
    server.announce("complete", audio)
    address = f"{url}/api/v1/podcasts/stream/complete"
    assert requests.get(address, timeout=PATIENCE_SECONDS).content == audio
    part = requests.get(address, headers={"Range": "bytes=1000-9999"}, timeout=PATIENCE_SECONDS)
    assert (part.status_code, part.content) == (206, audio[1000:10000])


def test_growing_audio_arrives_as_it_is_written(server: ServerProcess, url: str) -> None:
    """Each part before the next one is written: nobody on the way keeps it back."""
    growing = Growing(server, url, f"growing-{url[-5:]}")
    growing.read_part()
    for _ in range(PARTS - 1):
        growing.write_part()
        growing.read_part()
    growing.notify("complete")
    assert growing.response.raw.read() == b""
    assert growing.heard == growing.audio


def test_a_failure_in_mid_stream_does_not_look_whole(server: ServerProcess, url: str) -> None:
    """What was made before has arrived; then the response ends with an error."""
    growing = Growing(server, url, f"failing-{url[-5:]}")
    growing.read_part()
    growing.write_part()
    growing.read_part()
    growing.notify("failed")
    with pytest.raises((OSError, HTTPError)):
        growing.response.raw.read()
    assert growing.heard == growing.audio[: 2 * PART_BYTES]


@pytest.mark.parametrize("state", ["complete", "failed"])
def test_how_a_response_of_http_1_0_ends(server: ServerProcess, state: str) -> None:
    """It has no length: only a reset tells that it is not the whole. All that was made arrives before."""
    audio = audio_of(PARTS * PART_BYTES)
    stream_id = f"old-{state}"
    path = server.audio_root / f"{stream_id}.mp3"
    path.write_bytes(audio)
    server.notify(stream_id, str(path), state="generating").raise_for_status()
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) as client:
        client.sendall(f"GET /api/v1/podcasts/stream/{stream_id} HTTP/1.0\r\n\r\n".encode())
        received = bytearray(client.recv(1))  # The rest waits, in the server's kernel, too.
        server.notify(stream_id, str(path), state=state).raise_for_status()
        was_reset = False
        try:
            while part := client.recv(65536):
                received += part
        except ConnectionResetError:
            was_reset = True
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    assert head.startswith((b"HTTP/1.1 200 ", b"HTTP/1.0 200 "))
    assert body == audio
    assert was_reset is (state == "failed")
