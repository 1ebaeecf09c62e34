"""Uploads to several servers on one Redis: into a directory that they share, or into queues."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.bounds import PATIENCE_SECONDS
from tests.support.fixtures import audio_of
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually
from tests.support.redis_server import RedisServer
from tests.support.uploader import Sender, head, offset_of, patch, put

AUDIO = audio_of(300_001)
PATIENT = {"TEST_CONFIRMATION_SECONDS": str(PATIENCE_SECONDS)}

Servers = tuple[ServerProcess, ServerProcess]


@pytest.fixture
def give_up_seconds() -> float:
    """Return how long an upload may rest: longer than a test does, however busy the machine is."""
    return 3600.0


@pytest.fixture(params=["file", "queue"])
def servers(
    request: pytest.FixtureRequest, tmp_path: Path, persistent_redis: RedisServer, give_up_seconds: float
) -> Iterator[Servers]:
    """Return two servers on one Redis and one audio root."""
    settings = {
        "ASF_REDIS_URL": persistent_redis.url,
        "ASF_UPLOAD_TO": request.param,
        "ASF_STREAM_SLEEP_INTERVAL": "0",
        "ASF_STALL_GIVE_UP_SECONDS": str(give_up_seconds),
        **PATIENT,
    }
    first, second = (ServerProcess(tmp_path, settings, observed=True) for _ in range(2))
    yield first, second
    for server in (first, second):
        if server.process.poll() is None:  # Some tests kill one.
            assert server.stop() == 0, "".join(server.log)
        assert not any("Traceback (" in line for line in server.log), "".join(server.log)


def test_what_one_server_takes_is_heard_on_the_other(servers: Servers) -> None:
    """As it arrives, and afterwards; HEAD answers the same on both."""
    first, second = servers
    listener = PlainListener(second.url, "s", wait="true")
    with Sender(first.port, "s") as sender:
        for start in range(0, len(AUDIO), 100_000):
            sender.send(AUDIO[start : start + 100_000])
            listener.receive_until_bytes(min(start + 100_000, len(AUDIO)))
        response = sender.end()
        assert (response.status, json.loads(response.read())["state"]) == (201, "complete")
    assert listener.receive_to_the_end() == 1000
    assert listener.audio == AUDIO
    late = PlainListener(second.url, "s")
    assert late.receive_to_the_end() == 1000
    assert late.audio == AUDIO
    told = [head(server.url, "s").headers for server in servers]
    for name in ("Upload-Offset", "Upload-Complete", "ETag"):
        assert told[0][name] == told[1][name]


def test_an_upload_is_resumed_on_another_server(servers: Servers) -> None:
    """Its server was killed: nothing that it had acknowledged is lost, and the listener elsewhere hears on."""
    first, second = servers
    listener = PlainListener(second.url, "s", wait="true")
    with Sender(first.port, "s") as sender:
        sender.send(AUDIO[:100_000])
        listener.receive_until_bytes(100_000)
        first.kill()
    offset = offset_of(second.url, "s")
    assert offset == 100_000
    assert patch(second.url, "s", offset, AUDIO[offset:]).json()["state"] == "complete"
    assert listener.receive_to_the_end() == 1000
    assert listener.audio == AUDIO


def test_the_newest_request_takes_over_from_another_server(servers: Servers) -> None:
    """By PATCH, where the older one finds out at its next piece, and by PUT, where it is told at once."""
    first, second = servers
    with Sender(first.port, "s") as old:
        old.send(AUDIO[:1000])
        eventually(lambda: offset_of(second.url, "s") == 1000)
        assert patch(second.url, "s", 1000, AUDIO[1000:2000], Upload_Complete="?0").json()["offset"] == 2000
        old.send(b"late")
        response = old.response()
        assert (response.status, response.headers["Upload-Offset"]) == (409, "2000")
    with Sender(first.port, "s", method="PATCH", headers={"Upload-Offset": "2000"}) as old:
        old.send(AUDIO[2000:3000])
        eventually(lambda: offset_of(second.url, "s") == 3000)
        assert put(second.url, "s", AUDIO).json()["state"] == "complete"
        response = old.response()
        assert (response.status, json.loads(response.read())["error_code"]) == (409, "ASF_EPOCH_CHANGED")
    assert requests.get(first.stream_url("s"), timeout=PATIENCE_SECONDS).content == AUDIO


def test_a_deletion_on_another_server_ends_an_upload(servers: Servers) -> None:
    """And there is nothing left to resume."""
    first, second = servers
    with Sender(first.port, "s") as sender:
        sender.send(AUDIO[:1000])
        eventually(lambda: offset_of(second.url, "s") == 1000)
        url = f"{second.url}/asf/internal/streams/s"
        assert requests.delete(url, timeout=PATIENCE_SECONDS).status_code == 200
        assert sender.response().status == 404
    assert head(second.url, "s").status_code == 404


@pytest.mark.parametrize("give_up_seconds", [3.0])
def test_an_upload_that_nobody_resumes_is_given_up(servers: Servers) -> None:
    """Listeners on both servers receive that it has failed, and later ones as well."""
    first, second = servers
    with Sender(first.port, "s") as sender:
        sender.send(AUDIO[:1000])
        eventually(lambda: offset_of(second.url, "s") == 1000)
    listeners = [PlainListener(server.url, "s") for server in servers]
    for listener in listeners:
        assert listener.receive_to_the_end() == 4410
        assert listener.audio == AUDIO[:1000]
    eventually(lambda: head(second.url, "s").status_code == 410)
    late = PlainListener(second.url, "s")
    assert late.receive_to_the_end() == 4410
    assert late.messages[-1]["error_code"] == "ASF_GENERATION_FAILED"


def test_an_upload_to_a_queue_waits_for_redis(servers: Servers, persistent_redis: RedisServer) -> None:
    """While it restarts: the sender notices nothing, and every byte is there once."""
    first, second = servers
    listener = PlainListener(second.url, "s", wait="true")
    with Sender(first.port, "s") as sender:
        sender.send(AUDIO[:100_000])
        listener.receive_until_bytes(100_000)
        persistent_redis.kill()
        sender.send(AUDIO[100_000:200_000])
        persistent_redis.start()
        sender.send(AUDIO[200_000:])
        response = sender.end()
        if response.status == 503:  # The catalog was not there yet.
            offset = int(response.headers["Upload-Offset"])
            eventually(lambda: patch(second.url, "s", offset, AUDIO[offset:]).status_code == 200)
    assert listener.receive_to_the_end() == 1000
    assert listener.audio == AUDIO
