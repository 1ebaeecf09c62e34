"""An object store that is slow, fails, truncates and disappears: no wrong byte, and no effect on other streams."""

import time
from uuid import uuid4

import pytest
import requests

from asf.adapters.object_store.blocks import BLOCK_BYTES
from asf.adapters.object_store.sources import OPEN_SECONDS
from asf.adapters.realtime_api.plain_websocket import NORMAL_CLOSURE
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.engineio_wire import WireListener
from tests.support.faults import ENDLESS_SEEKS, FAILING_STORE, HANGING_STORE
from tests.support.fixtures import StartServer, audio_of
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually
from tests.support.store_proxy import StoreProxy
from tests.support.swift_server import SwiftServer

AUDIO = audio_of(4 * BLOCK_BYTES + 777)
SEEKS = 600
FILE_AUDIO = audio_of(600_000, seed=2)


@pytest.fixture
def server(start_server: StartServer, swift: SwiftServer, store_proxy: StoreProxy) -> ServerProcess:
    """Return a server that reads an object `s` through the proxy, and a file `f`; as fast as listeners take it."""
    settings = {"ASF_S3_ENDPOINT_URL": store_proxy.url, "ASF_STREAM_SLEEP_INTERVAL": "0"}
    server = start_server(swift.environment | settings)
    server.notify("s", swift.put(f"{uuid4().hex}.mp3", AUDIO)).raise_for_status()
    server.announce("f", FILE_AUDIO)
    return server


def join(server: ServerProcess, stream_id: str = "s", **fields: object) -> WireListener:
    """Return a listener that has joined."""
    listener = WireListener(server.url, polling=False)
    listener.socket.settimeout(OPEN_SECONDS + PATIENCE_SECONDS)
    listener.emit("join_stream", {"stream_id": stream_id, **fields})
    return listener


def begin(server: ServerProcess) -> WireListener:
    """Return a listener that has got the beginning, and must acknowledge it to get more."""
    listener = join(server, window=BLOCK_BYTES // 4)
    while len(listener.audio) < BLOCK_BYTES // 4:
        listener.receive()
    return listener


def hear_the_rest(listener: WireListener) -> str:
    """Acknowledge everything, and return the name of the event that ends the session."""
    while True:
        listener.emit("audio_ack", {"received": len(listener.audio)})
        listener.receive()
        for name, payload in listener.events:
            if name == "stream_error" or payload.get("event") == "end_of_stream":
                return name


@FAILING_STORE
def test_requests_to_a_store_that_fails_for_a_moment_are_retried(
    server: ServerProcess, store_proxy: StoreProxy
) -> None:
    """Responses with status 500, and truncated ones, only cost time."""
    store_proxy.failures = 2
    listener = begin(server)
    store_proxy.failures = 3
    store_proxy.cuts = 4
    assert hear_the_rest(listener) == "audio_control"
    assert listener.audio == AUDIO
    assert (store_proxy.failures, store_proxy.cuts) == (0, 0)
    listener.close()


@HANGING_STORE
def test_a_store_that_hangs_blocks_no_other_stream(server: ServerProcess, store_proxy: StoreProxy) -> None:
    """Complete files are played while a block of an object is delayed; then it arrives."""
    listener = begin(server)
    store_proxy.hang()
    listener.emit("audio_ack", {"received": len(listener.audio)})
    arriving = join(server)  # Its object cannot even be looked up.
    for _ in range(3):
        other = join(server, "f")
        other.receive_until("end_of_stream")
        assert other.audio == FILE_AUDIO
        other.close()
        assert requests.get(f"{server.url}/asf/health", timeout=PATIENCE_SECONDS).ok
        assert requests.get(server.stream_url("f"), timeout=PATIENCE_SECONDS).content == FILE_AUDIO
    assert [name for name, _payload in arriving.events] == ["connection_ack"]
    store_proxy.go_on()
    assert hear_the_rest(listener) == "audio_control"
    arriving.receive_until("end_of_stream")
    assert listener.audio == arriving.audio == AUDIO
    listener.close()
    arriving.close()


@HANGING_STORE
def test_commands_go_on_while_an_object_is_looked_up(server: ServerProcess, store_proxy: StoreProxy) -> None:
    """Each is answered at once, also on the connection of the join: pause, leave, another join."""
    store_proxy.hang()
    listener = join(server)
    listener.emit("pause_stream")
    listener.receive_until_status("paused")
    listener.emit("leave_stream")
    listener.receive_until_status("left")
    listener.emit("join_stream", {"stream_id": "s"})
    listener.emit("join_stream", {"stream_id": "f"})
    listener.receive_until("end_of_stream")
    assert listener.audio == FILE_AUDIO
    assert [name for name, _payload in listener.events].count("stream_error") == 0
    plain = PlainListener(server.url, "s")
    plain.send({"event": "leave"})
    assert plain.receive_to_the_end() == NORMAL_CLOSURE
    assert [message["status"] for message in plain.messages] == ["left"]
    listener.close()


@HANGING_STORE
def test_an_announcement_is_answered_while_its_object_is_looked_up(
    server: ServerProcess, swift: SwiftServer, store_proxy: StoreProxy
) -> None:
    """The listeners that wait for the stream get it when the store answers."""
    listeners = [join(server, "later", wait=True) for _ in range(3)]
    for listener in listeners:
        listener.receive_until_status("waiting")
    store_proxy.hang()
    server.notify("later", swift.put(f"{uuid4().hex}.mp3", AUDIO)).raise_for_status()
    assert [name for name, _payload in listeners[0].events] == ["connection_ack", "stream_status"]
    store_proxy.go_on()
    for listener in listeners:
        listener.receive_until("end_of_stream")
        assert listener.audio == AUDIO
        listener.close()


@ENDLESS_SEEKS
def test_who_seeks_without_pause_disturbs_nobody(
    start_server: StartServer, swift: SwiftServer, store_proxy: StoreProxy
) -> None:
    """The last seek takes effect, few of the others do, and a listener of another object receives all of it."""
    settings = {"ASF_S3_ENDPOINT_URL": store_proxy.url, "ASF_OBJECT_CACHE_BYTES": str(32 * BLOCK_BYTES)}
    server = start_server(swift.environment | settings)
    blocks = 80
    long_audio = audio_of(blocks * BLOCK_BYTES, seed=3)
    for stream_id, audio in (("long", long_audio), ("s", AUDIO)):
        server.notify(stream_id, swift.put(f"{stream_id}-{uuid4().hex}.mp3", audio)).raise_for_status()
    store_proxy.delay = 0.3
    restless = join(server, "long", window=1)
    restless.receive_until("start_of_stream")
    for number in range(SEEKS):
        restless.emit("seek_stream", {"offset": number * 7 % blocks * BLOCK_BYTES})
        time.sleep(0.005)  # So that the server turns to each of them.
    last = len(long_audio) - 1
    restless.emit("seek_stream", {"offset": last})
    other = join(server)
    other.receive_until("end_of_stream")
    assert other.audio == AUDIO
    while not any(payload.get("offset") == last for _name, payload in restless.events):
        restless.receive()
    starts = [payload for _name, payload in restless.events if payload.get("event") == "start_of_stream"]
    assert len(starts) < SEEKS // 2
    path = next(path for _method, path, _part in store_proxy.asked if "long-" in path)
    assert sum(store_proxy.blocks(path).values()) <= 2 * len(starts)  # The block, and the one ahead.
    restless.close()
    other.close()


def test_a_slow_store_only_costs_time(server: ServerProcess, store_proxy: StoreProxy) -> None:
    """No listener is dropped, and no byte is wrong."""
    store_proxy.delay = 0.7
    listeners = [join(server) for _ in range(5)]
    for listener in listeners:
        listener.receive_until("end_of_stream")
        assert listener.audio == AUDIO
        listener.close()


@FAILING_STORE
@pytest.mark.long
def test_a_store_that_stays_unreachable_is_a_retryable_error(server: ServerProcess, store_proxy: StoreProxy) -> None:
    """After a while; a listener that resumes at its offset gets the rest when the store is back."""
    listener = begin(server)
    store_proxy.failures = 1_000_000
    assert hear_the_rest(listener) == "stream_error"
    error = listener.receive_until("stream_error")
    assert (error["error_code"], error["retryable"]) == ("ASF_AUDIO_UNAVAILABLE", True)
    assert error["offset"] == len(listener.audio)
    refused = join(server)
    assert refused.receive_until("stream_error")["error_code"] == "ASF_AUDIO_UNAVAILABLE"
    refused.close()

    def readiness() -> int:
        return requests.get(f"{server.url}/asf/ready", timeout=PATIENCE_SECONDS).status_code

    eventually(lambda: readiness() == 503)
    store_proxy.failures = 0
    rest = join(server, offset=error["offset"])
    rest.receive_until("end_of_stream")
    assert bytes(listener.audio) + rest.audio == AUDIO
    eventually(lambda: readiness() == 200)
    listener.close()
    rest.close()


@HANGING_STORE
def test_a_server_ends_while_its_store_hangs(server: ServerProcess, store_proxy: StoreProxy) -> None:
    """On SIGTERM, in time, with exit code 0."""
    listener = begin(server)
    store_proxy.hang()
    listener.emit("audio_ack", {"received": len(listener.audio)})
    hanging = join(server)
    eventually(lambda: [method for method, _path, _part in store_proxy.asked].count("HEAD") == 2)
    assert server.stop() == 0
    listener.close()
    hanging.close()
